# Every sandbox is a fork of the zygote, and a fork copies each mapping of a file. A shared library has five such
# mappings: six libraries of hatcheryd itself cost 65 us of CPU time per sandbox. So these are linked in from
# their archives, if the archives are installed. libc and the libraries of languages stay shared.
option(HATCHERY_ARCHIVES "Link libraries from their archives where there are any" ON)
if(HATCHERY_ARCHIVES)
        foreach(library EVENT EVENT_EXTRA CONFUSE CGROUP SECCOMP CAPNG LZ4 NETTLE JANSSON)
                get_target_property(paths PkgConfig::${library} INTERFACE_LINK_LIBRARIES)
                set(replaced "")
                foreach(path IN LISTS paths)
                        string(REGEX REPLACE "\\.so$" ".a" archive "${path}")
                        if(EXISTS "${archive}")
                                list(APPEND replaced "${archive}")
                        else()
                                list(APPEND replaced "${path}")
                        endif()
                endforeach()
                set_target_properties(PkgConfig::${library} PROPERTIES INTERFACE_LINK_LIBRARIES "${replaced}")
        endforeach()
endif()
