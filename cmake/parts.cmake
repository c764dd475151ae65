# The libraries we stand on (docs/third-party.md says why and under which licence).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(FYAML REQUIRED IMPORTED_TARGET libfyaml)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4)
pkg_check_modules(CURL REQUIRED libcurl) # its headers only: src/net/curl.c loads it when needed
pkg_check_modules(TSS2 REQUIRED tss2-esys tss2-mu tss2-tctildr) # headers only: src/security/tpm_library.c
find_library(UDUNITS_LIBRARY udunits2 REQUIRED)
find_library(WSLAY_LIBRARY wslay REQUIRED)
find_library(HTTP_PARSER_LIBRARY http_parser REQUIRED)
set(GG_PARTS PkgConfig::FYAML PkgConfig::SQLITE PkgConfig::OPENSSL PkgConfig::ZSTD PkgConfig::LUA
	${WSLAY_LIBRARY} ${UDUNITS_LIBRARY} ${HTTP_PARSER_LIBRARY} Threads::Threads m dl)
if(GG_TESTS)
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
