module github.com/wasmoor/wasmoor/host/e2e/testdata/sqlbuilder

go 1.26.0

require (
	github.com/huandu/go-sqlbuilder v1.44.1
	github.com/wasmoor/wasmoor v0.0.0
)

require (
	github.com/huandu/go-clone v1.7.3 // indirect
	github.com/huandu/xstrings v1.4.0 // indirect
)

replace github.com/wasmoor/wasmoor => ../../../..
