# Puts a file's bytes into a target: `const unsigned char SYMBOL[]` and `const size_t SYMBOL_len`.
function(hatchery_embed target symbol file)
        set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
        file(READ ${file} bytes HEX)
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
        file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"#include <stddef.h>
extern const unsigned char @symbol@[];
extern const size_t @symbol@_len;
const unsigned char @symbol@[] = { @bytes@ };
const size_t @symbol@_len = sizeof @symbol@;
")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
        target_sources(${target} PRIVATE ${source})
endfunction()
