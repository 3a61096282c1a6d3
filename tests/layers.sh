#!/usr/bin/env bash
# Fails if a file includes a header of a folder that its own folder may not include. Argument: the tree to look at
# (default: this one).
#
# Prints one line per offence and exits 1. Exits 0 if there is no offence, and 2 if it finds no #include.
set -euo pipefail
root=${1:-$(dirname "$(readlink -f "$0")")/..}
cd "$root"

# What each folder may include beside its own files: folders (without their subfolders) or single files. FOLDER/* is a
# row for each subfolder of FOLDER, at any depth.
declare -A allowed=(
        [proto/base]=""
        [proto/ipc]="proto/base"
        [proto/wire]="proto/base"
        [proto/confine]="proto/base"

        # A folder calls the folders of the rows above its own row, and gets their reports by callbacks. A front
        # includes three headers of the core.
        [pool/base]="proto/base proto/ipc proto/wire/wire.h"
        [pool/config]="pool/base proto/base proto/ipc proto/wire/wire.h"
        [pool/cache]="pool/config pool/base proto/base"
        [pool/link]="pool/base proto/base proto/ipc"
        [pool/sched]="pool/link pool/cache pool/config pool/base proto/base proto/ipc proto/wire/wire.h"
        [pool/core]="pool/sched pool/link pool/cache pool/config pool/base proto/base proto/ipc proto/wire/wire.h"
        [pool/native]="pool/core/core.h pool/core/outcome.h pool/core/facts.h pool/config pool/base proto/base proto/ipc
                proto/wire"
        [pool]="pool/native pool/core pool/sched pool/link pool/cache pool/config pool/base proto/base proto/ipc
                proto/confine proto/wire/wire.h"

        # Each of these folders is a trust domain.
        [zygote/base]="proto/base proto/ipc"
        [zygote/init]="zygote/base proto/base proto/ipc"
        [zygote/sandbox]="zygote/base lang proto/base proto/ipc"
        [zygote]="zygote/sandbox zygote/init/init.h zygote/base lang proto/base proto/ipc"
        [zygote/host]="zygote zygote/base proto/base"

        [lang]="proto/base proto/ipc"
        [lang/*]="lang proto/base proto/ipc"

        [client]="proto/base proto/ipc proto/wire"

        # The gateway is a client. It includes nothing of the pool or the supervisor.
        [gateway]="client proto/base proto/confine proto/wire"
        [gateway/contracts]="gateway client proto/base proto/wire"

        [examples]="client"

        [bench/base]="client proto/base"
        [bench/load]="bench/base client proto/base"
        [bench/baseline]="bench/base lang proto/base"
        [bench/http]="bench/load bench/base proto/base"
        [bench/peers]="bench/http bench/base proto/base"
        [bench]="bench/http bench/load bench/baseline bench/peers bench/base client lang proto/base proto/ipc proto/wire"

        # Except for the tests, only the supervisor includes headers of the pool, the gateway and the zygotes.
        [hatcheryd]="pool/pool.h pool/base/trusted.h pool/config gateway/gateway.h zygote zygote/host zygote/sandbox/seccomp.h zygote/base proto/base proto/ipc
                proto/wire/wire.h"

        [tests]="*"
        [tests/*]="*"
)
tops="proto pool zygote lang client gateway examples bench hatcheryd tests"

# nanopb's messages of the wire are only for code that speaks with clients or servers.
speaks_nanopb() {
        case $1 in
        proto/wire | pool/native | client | gateway | gateway/* | examples | bench | bench/* | tests | tests/*) return 0 ;;
        *) return 1 ;;
        esac
}

offences=0
looked=0
offence() {
        printf '%s\n' "$1"
        offences=$((offences + 1))
}

# Finds a folder's row: its own row, or else the row FOLDER/* of the nearest folder above.
find_row() {
        local above=$1
        row=$1
        while [ -z "${allowed[$row]+known}" ]; do
                case $above in
                */*) above=${above%/*} ;;
                *) return 1 ;;
                esac
                row="$above/*"
        done
}

may_include() {
        local folder=$1 path=$2 entry
        [ "${path%/*}" = "$folder" ] && return 0
        for entry in ${allowed[$row]}; do
                if [ "$entry" = '*' ] || [ "$entry" = "$path" ] || [ "$entry" = "${path%/*}" ]; then
                        return 0
                fi
        done
        return 1
}

set -f # the shell must not expand the star in a row
for top in $tops; do
        [ -d "$top" ] || continue
        while IFS=: read -r file line text; do
                looked=$((looked + 1))
                [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]] || continue
                path=${BASH_REMATCH[1]}
                folder=${file%/*}
                if [[ $path == *..* ]]; then
                        offence "$file:$line: includes \"$path\": write the path from the top of the tree"
                        continue
                fi
                if [[ $path == hatchery.pb.h ]] && ! speaks_nanopb "$folder"; then
                        offence "$file:$line: $folder/ must not know the messages of the wire (\"$path\")"
                fi
                # A name without a folder is a file of the same folder or a generated file, and is allowed.
                [[ $path == */* ]] || continue
                if ! find_row "$folder"; then
                        offence "$file:$line: $folder/ has no row in tests/layers.sh: say what it may include"
                elif [[ " $tops " != *" ${path%%/*} "* ]]; then
                        offence "$file:$line: includes \"$path\": no such folder"
                elif ! may_include "$folder" "$path"; then
                        offence "$file:$line: $folder/ must not include ${path%/*}/ (\"$path\")"
                fi
        done < <(grep -RnE --include='*.[ch]' --include='*.cc' --exclude-dir=fixtures '^[[:space:]]*#[[:space:]]*include' "$top" || true)
done

if [ "$looked" -eq 0 ]; then
        echo "no #include found below $root: nothing was checked"
        exit 2
fi
[ "$offences" -eq 0 ]
