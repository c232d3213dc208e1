package wasmbin

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
)

func TestCustomSection(t *testing.T) {
	b := []byte(guest())
	for _, tt := range []struct {
		name, want string
		ok         bool
	}{
		{"early", "data", true},
		{"wasmoor:manifest", "name = \"x\"", true},
		{"custom", "", false},
		{"type", "", false},
		{"", "", false},
	} {
		data, ok, err := CustomSection(b, tt.name)
		if string(data) != tt.want || ok != tt.ok || err != nil {
			t.Errorf("CustomSection(%q) = %q, %v, %v, want %q, %v", tt.name, data, ok, err, tt.want, tt.ok)
		}
	}
}

func TestCustomSectionTwice(t *testing.T) {
	b := []byte(header + section(format.IDCustom, text("a"), "1") + section(format.IDCustom, text("b")) + section(format.IDCustom, text("a"), "2"))
	if _, _, err := CustomSection(b, "a"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("two sections of one name: %v", err)
	}
	out, err := WithCustomSection(b, "a", []byte("3"))
	if want := header + section(format.IDCustom, text("b")) + section(format.IDCustom, text("a"), "3"); err != nil || string(out) != want {
		t.Errorf("WithCustomSection = %q, %v, want %q", out, err, want)
	}
}

func TestWithCustomSection(t *testing.T) {
	before := []byte(guest())
	kept := bytes.Clone(before)
	for _, data := range []string{"", "short", strings.Repeat("long ", 1000)} {
		for _, name := range []string{"early", "wasmoor:manifest", "new"} {
			b, err := WithCustomSection(before, name, []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := CustomSection(b, name)
			if string(got) != data || !ok || err != nil {
				t.Errorf("%s reads %.20q, %v, %v, want %.20q", name, got, ok, err, data)
			}
			if m, err := Read(b); err != nil || len(m.Imports) != 4 || len(m.Exports) != 5 {
				t.Errorf("the module with %s is another one: %v", name, err)
			}
			if again, err := WithCustomSection(b, name, []byte(data)); err != nil || !bytes.Equal(again, b) {
				t.Errorf("a second time changes the module: %v", err)
			}
		}
	}
	if !bytes.Equal(before, kept) {
		t.Error("the input was changed")
	}
}

func TestCustomSectionErrors(t *testing.T) {
	for _, in := range []string{"", "text", header + "\x00\xff"} {
		if _, _, err := CustomSection([]byte(in), "a"); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("CustomSection of %q: %v", in, err)
		}
		if _, err := WithCustomSection([]byte(in), "a", nil); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("WithCustomSection of %q: %v", in, err)
		}
	}
	if _, err := WithCustomSection([]byte(header), "\xff", nil); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a name that is not UTF-8: %v", err)
	}
}

func TestCode(t *testing.T) {
	code, names := section(format.IDCode, "x"), section(format.IDCustom, text("name"), "n")
	other := section(format.IDCustom, text("other"), code, names)
	for _, tt := range []struct{ name, module, want string }{
		{"nothing", "", ""},
		{"only code", code, code},
		{"before, between and after", other + names + other + code + other, names + code},
		{"names twice", names + code + other + names, names + code + names},
		{"names of no name section", section(format.IDCustom, text("names"), "n") + section(format.IDCustom, text(""), "name"), ""},
	} {
		before := header + tt.module
		b := []byte(before)
		got, err := Code(b)
		if err != nil || string(got) != header+tt.want {
			t.Errorf("%s: Code = %q, %v, want %q", tt.name, got, err, header+tt.want)
		}
		if string(b) != before {
			t.Errorf("%s: the module itself is changed", tt.name)
		}
		if again, err := Code(got); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: Code of the code = %q, %v", tt.name, again, err)
		}
	}
	for _, bad := range []string{"", header + code + code, header + "\x00\x05x", header + "\x0d\x00"} {
		if _, err := Code([]byte(bad)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: got %v, want %s", bad, err, fault.Invalid)
		}
	}
}
