package main

import "testing"

func TestCount(t *testing.T) {
	for _, c := range []struct{ text, vowels, want string }{
		{"hello world", "aeiou", `{"count":3,"vowels":"aeiou"}`},
		{"rhythm", "aeiou", `{"count":0,"vowels":"aeiou"}`},
		{"grün", "ü", `{"count":1,"vowels":"ü"}`},
	} {
		got, err := count(c.text, c.vowels)
		if got != c.want || err != nil {
			t.Errorf("count(%q, %q): got %s, %v, want %s", c.text, c.vowels, got, err, c.want)
		}
	}
	if _, err := count("", "aeiou"); err == nil {
		t.Error("nothing was counted")
	}
}
