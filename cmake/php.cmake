# PHP as a library (libphp8.2-embed, php8.2-dev): PHP_FOUND, PHP_INCLUDE_DIRS, PHP_LIBRARY. Debian ships no pkg-config file.
find_program(PHP_CONFIG NAMES php-config8.2 php-config)
find_library(PHP_LIBRARY NAMES php8.2)
set(PHP_FOUND FALSE)
if(PHP_CONFIG AND PHP_LIBRARY)
        execute_process(COMMAND ${PHP_CONFIG} --include-dir OUTPUT_VARIABLE php_include OUTPUT_STRIP_TRAILING_WHITESPACE)
        execute_process(COMMAND ${PHP_CONFIG} --vernum OUTPUT_VARIABLE php_number OUTPUT_STRIP_TRAILING_WHITESPACE)
        if(php_number GREATER_EQUAL 80200 AND php_number LESS 80300 AND EXISTS ${php_include}/main/php.h)
                set(PHP_FOUND TRUE)
                set(PHP_INCLUDE_DIRS ${php_include} ${php_include}/main ${php_include}/TSRM ${php_include}/Zend
                        ${php_include}/ext)
        endif()
endif()
