#!/bin/sh
# Fills a build cache with what most tests import of the standard library: what the compiler makes, and what `go vet`,
# which `go test` calls, finds out about each package. Without the latter a small test took 5 s more of processor time.
# The same is done for testify, if it is installed, since many tests use it. A test may import other packages, too, and
# then takes longer. Arguments: go, the directory for the result, testify.
set -eu
go=$1 prepared=$2 testify=$3
export GOCACHE="$prepared/go" GOPATH=/usr/share/gocode GO111MODULE=off GOENV=off GODEBUG=goindex=0 GOFLAGS=-buildvcs=false

mkdir "$prepared/all"
cd "$prepared/all"
{
        echo 'package all'
        printf 'import _ "%s"\n' bufio bytes container/heap container/list container/ring context encoding/json errors fmt \
                io math math/big math/bits math/cmplx math/rand net/http/httptest os path/filepath reflect regexp sort \
                strconv strings sync sync/atomic testing testing/quick text/template time unicode unicode/utf8
        if [ -d "$testify" ]; then
                printf 'import _ "github.com/stretchr/testify/%s"\n' assert require
        fi
} >all_test.go
"$go" test -c -o /dev/null .
cd ..
rm -r all
