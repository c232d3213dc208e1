package wasmbin

import (
	"bytes"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/wasmbintest"
)

func FuzzRead(f *testing.F) {
	whole := guest()
	f.Add([]byte(whole))
	f.Add([]byte(whole[:len(whole)/2]))
	f.Add([]byte(header))
	f.Add([]byte("\x00asm\x0d\x00\x01\x00"))
	f.Add([]byte(header + "\x07\x04\x80\xfa\xfe\x3d"))
	f.Add([]byte(header + section(format.IDElement, "\x01\x01\x00"+huge)))
	f.Add([]byte(header + section(format.IDType, vec(funcType("", i32))) + section(format.IDFunction, vec(u(0))) + section(format.IDCode, vec("\x08\x01"+huge+i32+"\x0b"))))
	wasmbintest.AddHostile(f, func(_ string, b []byte) bool { return len(b) <= 64<<10 })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(b)
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("%v has the code %s", err, fault.CodeOf(err))
			}
			return
		}
		checkSections(t, m, b)
		for _, e := range m.Exports {
			if found, ok := m.Export(e.Name); !ok || found.Index != e.Index || found.Kind != e.Kind {
				t.Fatalf("export %q is found as %v", e.Name, found)
			}
		}
		checkRewrite(t, m, b)
	})
}

// checkSections: the sections cover the module without a gap.
func checkSections(t *testing.T, m *Module, b []byte) {
	t.Helper()
	at := format.HeaderSize
	for _, s := range m.Sections {
		if s.Offset != at || s.Start <= s.Offset || s.End < s.Start {
			t.Fatalf("section %+v does not follow offset %d", s, at)
		}
		at = s.End
	}
	if at != len(b) || m.Size != len(b) {
		t.Fatalf("the sections end at %d of %d", at, len(b))
	}
}

// checkRewrite: a section that was added is there, and the module is the same
// but for it.
func checkRewrite(t *testing.T, m *Module, b []byte) {
	t.Helper()
	const name = "fuzz"
	out, err := WithCustomSection(b, name, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Sections) >= format.MaxCustomSections {
		return
	}
	if data, ok, err := CustomSection(out, name); !ok || err != nil || !bytes.Equal(data, b) {
		t.Fatalf("the section added is %q, %v, %v", data, ok, err)
	}
	again, err := Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if again.Functions != m.Functions || len(again.Imports) != len(m.Imports) || len(again.Exports) != len(m.Exports) {
		t.Fatal("the module is another one")
	}
}
