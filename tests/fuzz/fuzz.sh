#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs fuzz targets one after the other:  fuzz.sh SECONDS TARGET...
# SECONDS are for all of them. Each starts from its inputs in the corpus and
# from what earlier runs found; it is at tests/fuzz/fuzz-TARGET, below the
# current folder.
#
# fuzz.sh --check only looks whether the compiler has libFuzzer.
#
# Environment: FUZZ_CC, FUZZ_LDFLAGS for --check; else corpus, and FUZZ_FLAGS
# for libFuzzer.
set -eu

check_compiler()
{
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	cat > "$scratch/try.c" <<-'END'
		int LLVMFuzzerTestOneInput(const void *bytes, unsigned long n)
		{
			return bytes && n == 12345;
		}
	END
	# shellcheck disable=SC2086
	if $FUZZ_CC $FUZZ_LDFLAGS -o "$scratch/try" "$scratch/try.c" \
		> "$scratch/log" 2>&1; then
		return
	fi
	cat "$scratch/log" >&2
	echo "make fuzz needs clang and its libFuzzer: $FUZZ_CC cannot build" \
		"with $FUZZ_LDFLAGS. Install them (Debian: clang," \
		'libclang-rt-dev), or say make fuzz FUZZ_CC=...' >&2
	exit 1
}

# Longer inputs find nothing that shorter ones do not, but slowly.
longest()
{
	case $1 in
	kernel)
		echo 256
		;;
	mock | rv64)
		echo 512
		;;
	*)
		echo 4096
		;;
	esac
}

# The last figures of a log, in lines like "#12 DONE cov: 34 ft: 5 corp: 6/7b".
figures()
{
	awk '/^#.* cov: / { line = $0 }
	END {
		split(line, word)
		sub("#", "", word[1])
		sub("/.*", "", word[8])
		printf "%-8s %10s %6s %6s\n", target, word[1], word[4], word[8]
	}' target="$1" "tests/fuzz/logs/$1"
}

fuzz()
{
	mkdir -p "tests/fuzz/found/$1"
	# shellcheck disable=SC2086
	"tests/fuzz/fuzz-$1" -max_total_time="$seconds" -timeout=20 \
		-max_len="$(longest "$1")" -print_final_stats=1 \
		-artifact_prefix="tests/fuzz/failed/$1-" ${FUZZ_FLAGS:-} \
		"tests/fuzz/found/$1" "${corpus:?}/$1" \
		> "tests/fuzz/logs/$1" 2>&1
}

if [ "$1" = --check ]; then
	check_compiler
	exit
fi

seconds=$1
shift
seconds=$((seconds / $#))
[ "$seconds" -gt 0 ] || seconds=1
export ASAN_OPTIONS="detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
mkdir -p tests/fuzz/failed tests/fuzz/logs
status=0
printf '%-8s %10s %6s %6s\n' target executions edges inputs
for target; do
	if fuzz "$target"; then
		figures "$target"
	else
		status=1
		tail -n 60 "tests/fuzz/logs/$target" >&2
		echo "$target: FAILED; the input is in tests/fuzz/failed" >&2
	fi
done
exit "$status"
