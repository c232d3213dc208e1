#!/usr/bin/env bash
# make.sh BINARY NAME: ../NAME.tar.gz, a data folder that BINARY wrote, and ../NAME.json,
# what BINARY says of it. ../README.md tells more.
set -euo pipefail
cd "$(dirname "$0")"
wasmoor=$(realpath "$1") to=$PWD/../$2 data=$(mktemp -d)
export CC=${CC:-clang-19} WASMOOR_TOKEN_FILE=$data/admin.token WASMOOR_SERVER
trap 'kill $server 2>/dev/null || true; rm -rf "$data"' EXIT

serve() {
	exec 3< <(exec "$wasmoor" serve --data "$data" --public 127.0.0.1:0 --admin 127.0.0.1:0 --log-level error 2>&1)
	server=$!
	while read -r name value <&3; do
		case $name in
		public) public=$value ;;
		admin) WASMOOR_SERVER=$value && break ;;
		esac
	done
}
stop() {
	kill -INT $server
	while read -r _ <&3; do :; done
}
ask() { curl -sS --fail -o /dev/null "$@"; }

serve
"$wasmoor" deploy --label first notes
printf moin | "$wasmoor" var set notes greeting
printf s3cret | "$wasmoor" var set notes secret
"$wasmoor" cors set notes --origin https://app.example
ask -X PUT --data-binary 'stays' "$public/notes/plain"
ask -X PUT --data-binary 'for a hundred years' "$public/notes/long?ttl=3155760000000"
ask -X PUT --data-binary 'for a moment' "$public/notes/short?ttl=1"
ask -X PUT --data-binary 'overwritten' "$public/notes/twice"
ask -X PUT --data-binary 'last' "$public/notes/twice"
printf 'by the operator' | "$wasmoor" kv put notes operator
printf 'nobody' | "$wasmoor" kv put notes removed
"$wasmoor" kv delete notes removed
for key in one two two; do ask -X POST -H "Idempotency-Key: $key" "$public/notes/count"; done
VERSION=2 "$wasmoor" deploy --label second notes
ask "$public/notes/"
"$wasmoor" deploy count
for _ in 1 2 3; do ask "$public/count/"; done
for name in gone purged; do
	VERSION=1 "$wasmoor" deploy --name $name notes
	ask -X PUT --data-binary kept "$public/$name/plain"
done
"$wasmoor" delete gone
"$wasmoor" delete purged --purge --yes
stop

rm -r "$data"/{artefacts,artefact.key,store/RESERVE} {notes,count}/plugin.wasm
tar -C "$data" --sort=name --owner=0 --group=0 --numeric-owner -czf "$to.tar.gz" .

serve
{
	comma=
	echo '{'
	for command in audit 'versions notes' 'versions gone' 'deployments notes' 'var list notes' 'kv list notes' 'cors show notes'; do
		printf '%s"%s": ' "$comma" "$command"
		"$wasmoor" $command --json
		comma=,
	done
	echo '}'
} >"$to.json"
stop
