#!/usr/bin/env bash
# Fails on an #include against the arrows between folders. Argument: the tree to look at (default: this one).
#
# Prints one line per offence and exits 1; exits 0 if there is none, 2 if there was nothing to look at.
set -euo pipefail
root=${1:-$(dirname "$(readlink -f "$0")")/..}
cd "$root"

# Which folders each folder may include, itself among them. hatcheryd is the supervisor: the only one that knows both
# the pool and the zygotes.
declare -A allowed=(
        [proto]="proto"
        [pool]="pool proto"
        [zygote]="zygote lang proto"
        [lang]="lang proto"
        [client]="client proto"
        [bench]="bench client lang proto"
        [hatcheryd]="hatcheryd pool zygote proto"
        [tests]="tests proto pool zygote lang client bench hatcheryd"
)
folders=(proto pool zygote lang client bench hatcheryd tests)

offences=0
looked=0
offence() {
        printf '%s\n' "$1"
        offences=$((offences + 1))
}

for folder in "${folders[@]}"; do
        [ -d "$folder" ] || continue
        while IFS=: read -r file line text; do
                looked=$((looked + 1))
                [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]] || continue
                path=${BASH_REMATCH[1]}
                if [[ $path == *..* ]]; then
                        offence "$file:$line: includes \"$path\": write the path from the top of the tree"
                        continue
                fi
                # A name without a folder is a neighbour or a generated file, and crosses no border.
                [[ $path == */* ]] || continue
                target=${path%%/*}
                if [ -z "${allowed[$target]+known}" ]; then
                        offence "$file:$line: includes \"$path\": no such folder"
                elif [[ " ${allowed[$folder]} " != *" $target "* ]]; then
                        offence "$file:$line: $folder/ must not include $target/ (\"$path\")"
                fi
        done < <(grep -RnE --include='*.[ch]' --exclude-dir=fixtures '^[[:space:]]*#[[:space:]]*include' "$folder" || true)
done

if [ "$looked" -eq 0 ]; then
        echo "no #include found below $root: nothing was checked"
        exit 2
fi
[ "$offences" -eq 0 ]
