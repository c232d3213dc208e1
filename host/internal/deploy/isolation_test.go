package deploy_test

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// remembering counts its requests in its memory, from "1" on.
func remembering() []byte {
	const at, add = 1024, 0x7c
	b := enginetest.NewBuilder(1).Data(at, "0")
	write := b.Native(abi.FnResponseWrite)
	code := new(enginetest.Code).I32(at).I32(at).Load8().I64(1).Op(add).Store8()
	return b.Handle(code.I32(at).I32(1).Call(write).Drop().I32(0)).Bytes()
}

func TestMemoryIsKeptOnlyByManifestAndGrant(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, remembering(), "clean")})
	out := p.deploy(deploy.Upload{Module: pack(t, remembering(), "stateful", `isolation = "instance"`)})
	if out.Activated {
		t.Error("memory is kept without a grant")
	}
	p.activate("stateful", 1, true)
	for _, want := range []string{"1", "2", "3"} {
		p.want("/clean", "1")
		p.want("/stateful", want)
	}
	for _, name := range []string{"clean", "stateful"} {
		if s := p.status(t, p.Deployer, name); s.Idle != 1 || s.Fresh != "" || s.Stateful != (name == "stateful") {
			t.Errorf("after requests one after the other: %+v, want one instance that serves them all", s)
		}
	}
	p.restart()
	p.want("/clean", "1")
	p.want("/stateful", "1") // of a new instance
	p.want("/stateful", "2")
}
