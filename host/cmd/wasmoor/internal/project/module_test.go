package project

import "testing"

func TestNameOfAFile(t *testing.T) {
	for file, want := range map[string]string{
		"shop.wasm":                 "shop",
		"dir/count_vowels.wasm":     "count-vowels",
		"Nested.C.instr.wasm":       "nested-c-instr",
		"_x_.wasm":                  "x",
		"target/my plugin.wasm":     "my-plugin",
		"what can be no name!.wasm": "what-can-be-no-name!",
	} {
		if got := nameOf(file); got != want {
			t.Errorf("nameOf(%q) = %q, want %q", file, got, want)
		}
	}
}
