#!/bin/sh
# What a change of the policies must pass, with the stock opa (1.0 or later):
# format, a strict check against the schema of input, all tests, and how much of
# the policies they cover.
#
#   OPA        the binary; default: opa
#   THRESHOLD  the least coverage in percent; default: 90
#
# The last line says that all of it passed; anything else ends with an error.
set -eu
cd "$(dirname "$0")/.."
opa=${OPA:-opa}

unformatted=$("$opa" fmt --list .)
if [ -n "$unformatted" ]; then
	echo "not formatted; run: opa fmt --write ." >&2
	echo "$unformatted" >&2
	exit 1
fi
"$opa" check --strict --bundle --schema schemas/input.json .
"$opa" test --bundle --timeout 1m .
"$opa" test --bundle --timeout 1m --coverage --threshold "${THRESHOLD:-90}" . >/dev/null || {
	echo "the tests failed, or cover less than ${THRESHOLD:-90} % of the policies; see: opa test --bundle --coverage ." >&2
	exit 1
}
echo "the policies are good"
