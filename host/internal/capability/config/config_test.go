package config_test

import (
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/config"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

func TestGet(t *testing.T) {
	const buf, room = 32, 8
	for _, test := range []struct {
		name, variable string
		room           uint64
		want           int64
		data           string
	}{
		{"value", "greeting", room, 5, "hello..."},
		{"no room", "greeting", 4, 5, "........"},
		{"empty is not absent", "empty", room, 0, "........"},
		{"absent", "other", room, int64(abi.NotFound), "........"},
		{"no name", "", room, int64(abi.NotFound), "........"},
		{"not text", "\xff\x00", room, int64(abi.NotFound), "........"},
		{"buffer out of memory", "greeting", room + 1, int64(abi.BadPointer), "........"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &capability.Guest{Inv: enginetest.Invocation("", nil, nil), Mem: make(capability.Memory, buf+room)}
			copy(g.Mem[buf:], "........")
			n := copy(g.Mem, test.variable)
			got := enginetest.Call(t, config.Unit().Native, g, abi.FnConfigGet, 0, uint64(n), buf, test.room)
			if data := string(g.Mem[buf:]); got != test.want || data != test.data {
				t.Errorf("got %d, %q, want %d, %q", got, data, test.want, test.data)
			}
		})
	}
}
