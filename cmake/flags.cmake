# Compiler flags for every target of Hatchery's own; a target takes them by linking `hatchery-flags`.
add_library(hatchery-flags INTERFACE)
target_include_directories(hatchery-flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(hatchery-flags INTERFACE _GNU_SOURCE)
target_compile_options(hatchery-flags INTERFACE
        -Wall -Wextra -Wconversion -Wshadow
        -Wcast-align=strict -Wformat=2 -Wimplicit-fallthrough -Wmissing-prototypes -Wnull-dereference
        -Wold-style-definition -Wpointer-arith -Wstrict-prototypes -Wundef -Wvla -Wwrite-strings
        # warnings that always mean a bug, so they are errors in every build
        -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion -Werror=return-type
        -fno-strict-aliasing -fstack-protector-strong -fstack-clash-protection -fcf-protection)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
        target_compile_options(hatchery-flags INTERFACE -Wno-cast-align -Wno-unknown-warning-option)
endif()
if(HATCHERY_WERROR)
        target_compile_options(hatchery-flags INTERFACE -Werror)
endif()
if(HATCHERY_FUZZ)
        if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
                message(FATAL_ERROR "HATCHERY_FUZZ needs clang: libFuzzer is a part of it")
        endif()
        # The coverage profile shows which lines a corpus reaches.
        set(fuzz_flags -fsanitize=fuzzer-no-link,address,undefined -fprofile-instr-generate -fcoverage-mapping)
        target_compile_options(hatchery-flags INTERFACE ${fuzz_flags} -fno-sanitize-recover=undefined
                -fno-omit-frame-pointer)
        target_link_options(hatchery-flags INTERFACE ${fuzz_flags})
endif()
if(HATCHERY_SANITIZE)
        target_compile_options(hatchery-flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
                -fno-omit-frame-pointer)
        target_link_options(hatchery-flags INTERFACE -fsanitize=address,undefined)
elseif(NOT HATCHERY_FUZZ)
        target_compile_definitions(hatchery-flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()
target_link_options(hatchery-flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
