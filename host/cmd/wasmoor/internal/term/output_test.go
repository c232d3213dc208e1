package term

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// hostile moves the cursor, sets the title, hides what follows and turns its direction.
const hostile = "a\x1b]0;title\x07\x1b[2J\x1b[8mb\u009b1Ac\u202ed\rz\n\te"

// TestNothingIsObeyed: what servers and authors say reaches no terminal as an order.
func TestNothingIsObeyed(t *testing.T) {
	var out, messages bytes.Buffer
	p := New(func(string) string { return "" }, strings.NewReader(""), &out, &messages, func() {})
	if err := p.Table("", "NAME", [][]string{{hostile}}); err != nil {
		t.Fatal(err)
	}
	if err := p.JSON(hostile); err != nil {
		t.Fatal(err)
	}
	var back string
	text := out.Bytes()
	if err := json.Unmarshal(text[bytes.IndexByte(text, '"'):], &back); err != nil || back != hostile {
		t.Errorf("JSON has %q, %v", back, err)
	}
	p.Complain(hostile)
	p.Note("said: %s", hostile)
	for name, text := range map[string]string{"output": out.String(), "messages": messages.String()} {
		for _, r := range text {
			if r != '\n' && r != '\t' && (r < ' ' || r == 0x7f || Obeyed(r)) {
				t.Errorf("%s has %q:\n%q", name, r, text)
				break
			}
		}
	}
	if got, want := messages.String(), "error: a\\x1b]0;title\\a"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q...", got, want)
	}
	if painted := "\x1b[33mwaiting\x1b[0m"; shown(painted, true) != painted || strings.Contains(shown(hostile, true), "\x1b") || strings.Contains(shown(painted, false), "\x1b") {
		t.Error("colours of Paint alone pass, where there are colours")
	}
}
