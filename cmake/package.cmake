# What is installed besides the program, and the Debian package: cmake --build --preset release --target package
# The package holds the gateway only (component "gateway"); the demo's pump hall is a component of its own.
install(FILES README.md LICENSE SECURITY.md docs/third-party.md DESTINATION share/doc/ganglion COMPONENT gateway)
install(FILES docs/demo.yaml DESTINATION share/doc/ganglion/examples COMPONENT gateway)
# What shells complete, written by the program itself.
if(NOT CMAKE_CROSSCOMPILING)
	set(completions ${CMAKE_BINARY_DIR}/completions)
	add_custom_command(OUTPUT ${completions}/ganglion ${completions}/_ganglion ${completions}/ganglion.fish
		COMMAND ${CMAKE_COMMAND} -E make_directory ${completions}
		COMMAND ganglion completion bash > ${completions}/ganglion
		COMMAND ganglion completion zsh > ${completions}/_ganglion
		COMMAND ganglion completion fish > ${completions}/ganglion.fish
		DEPENDS ganglion)
	add_custom_target(completions ALL DEPENDS ${completions}/ganglion)
	install(FILES ${completions}/ganglion DESTINATION share/bash-completion/completions COMPONENT gateway)
	install(FILES ${completions}/_ganglion DESTINATION share/zsh/vendor-completions COMPONENT gateway)
	install(FILES ${completions}/ganglion.fish DESTINATION share/fish/vendor_completions.d COMPONENT gateway)
endif()
# systemd and the configuration have their places, whatever the prefix; only the package puts something there, or
# cmake --install build/release --component system
set(system COMPONENT system EXCLUDE_FROM_ALL)
install(FILES packaging/ganglion.service DESTINATION /lib/systemd/system ${system})
install(FILES packaging/ganglion.yaml DESTINATION /etc/ganglion ${system})
install(DIRECTORY DESTINATION /etc/ganglion/conf.d ${system})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ganglion)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "Ganglion maintainers <maintainers@ganglion.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Edge AI gateway: reads machines, decides on the spot, tells the cloud what matters")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL gateway system)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# libcurl is loaded when it is needed, so shlibdeps does not see it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates, libcurl4")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd")
# For `encryption: { tpm: ... }`, loaded when it is needed, too.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libtss2-esys-3.0.2-0, libtss2-tctildr0, libtss2-tcti-device0")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/conffiles ${CMAKE_SOURCE_DIR}/packaging/postinst
	${CMAKE_SOURCE_DIR}/packaging/prerm ${CMAKE_SOURCE_DIR}/packaging/postrm)
include(CPack)
