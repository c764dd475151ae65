# How every file is compiled. No -ffast-math, no contraction: the same input gives the same bits on every build.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")

add_compile_definitions(_GNU_SOURCE GG_VERSION="${PROJECT_VERSION}")
add_compile_options(-ffp-contract=off -fno-strict-aliasing -fvisibility=hidden
	-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
	-Wwrite-strings -Wvla -Wformat=2 -Wno-sign-conversion -Wno-missing-field-initializers
	-Wno-override-init) # GG_OPTION() gives a name that a row may replace
if(GG_WERROR)
	add_compile_options(-Werror)
endif()
if(GG_SANITIZE)
	add_compile_options(-fsanitize=${GG_SANITIZE} -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${GG_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE)
	add_link_options(-pie -Wl,-z,relro,-z,now -Wl,--as-needed)
endif()
if(GG_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(GG_CCACHE ccache)
if(GG_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
	set(CMAKE_C_COMPILER_LAUNCHER ${GG_CCACHE})
endif()
include_directories(${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
