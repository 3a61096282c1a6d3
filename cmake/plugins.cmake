# hatchery_plugin_table(HEADER FILE...): writes the facts that are known about plug-ins without loading them. They come
# from the files lang/*/NAME.plugin, and become a table for pool/config/plugins.c and text for
# pool/config/config_text.c. A line of such a file is `KEY = WORD...`, or a comment that begins with `#`:
#
#     package   Debian packages that bring the interpreter's library; an operator is told to install them
#     build     Debian packages that the plug-in is built with
#     command   Debian packages of the language's own command, which tests and fresh processes run
#     preload   modules loaded before the fork, unless the operator names others; they may be missing
#
# ./dev reads the first three, too.

# hatchery_read_plugin(PREFIX FILE): PREFIX_package, PREFIX_build, ..., each a list.
function(hatchery_read_plugin prefix file)
        foreach(key package build command preload)
                set(known_${key} "")
        endforeach()
        file(STRINGS ${file} lines REGEX "^[^#]")
        foreach(line IN LISTS lines)
                if(NOT line MATCHES "^(package|build|command|preload) = ([A-Za-z0-9:_.+/ -]+)$")
                        message(FATAL_ERROR "${file}: a line is KEY = WORD..., and KEY is package, build, command or preload, not: ${line}")
                endif()
                set(key ${CMAKE_MATCH_1})
                string(REGEX MATCHALL "[^ ]+" known_${key} "${CMAKE_MATCH_2}")
        endforeach()
        foreach(key package build command preload)
                if(NOT known_${key} AND NOT key STREQUAL preload)
                        message(FATAL_ERROR "${file}: there is no ${key}")
                endif()
                set(${prefix}_${key} "${known_${key}}" PARENT_SCOPE)
        endforeach()
endfunction()

function(hatchery_plugin_table header)
        set(rows "")
        set(lists "")
        set(shown "")
        list(SORT ARGN)
        foreach(file IN LISTS ARGN)
                cmake_path(GET file STEM name)
                hatchery_read_plugin(plugin ${file})
                list(JOIN plugin_package " " package)
                list(JOIN plugin_build " " build)
                list(TRANSFORM plugin_preload REPLACE ".+" "\"\\0\", " OUTPUT_VARIABLE words)
                list(JOIN words "" words)
                string(APPEND rows "        PLUGIN(\"${name}\", \"${package}\", \"${build}\", ${words}NULL) \\\n")
                if(name STREQUAL python)
                        # The language whose list the text shows whole. A second line takes the words that the first has
                        # no room for.
                        set(width 10)
                        foreach(word IN LISTS plugin_preload)
                                string(LENGTH "${word}, " length)
                                math(EXPR width "${width} + ${length}")
                                if(width GREATER 104)
                                        string(REGEX REPLACE " $" "\\\\n\"\n        \"#                    " shown "${shown}")
                                        set(width ${length})
                                endif()
                                string(APPEND shown "${word}, ")
                        endforeach()
                        string(REGEX REPLACE ", $" "" shown "${shown}")
                elseif(plugin_preload)
                        list(JOIN plugin_preload ", " words)
                        string(APPEND lists "of ${name} { ${words} }; ")
                endif()
        endforeach()
        string(REPLACE "\n" " \\\n" shown "${shown}")
        file(CONFIGURE OUTPUT ${header} @ONLY CONTENT [[
/* Made by cmake/plugins.cmake of the files NAME.plugin below lang. */
#define PLUGIN_ROWS \
@rows@
#define PLUGIN_PRELOAD_SHOWN "@shown@"
#define PLUGIN_PRELOAD_LISTS "@lists@"
]])
endfunction()
