package jsontext_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/jsontext"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

type note struct {
	Title string
	Tags  []string
	Due   time.Time // optional
}

func (n *note) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "title":
			if n.Title = r.String(); n.Title == "" {
				r.Refuse("must not be empty")
			}
		case "tags":
			for range r.Array() {
				n.Tags = append(n.Tags, r.String())
			}
		case "due":
			r.Text(&n.Due)
		} // a field that no case reads is refused; default: r.Skip() allows it
	}
}

func (n *note) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("title").String(n.Title)
	w.Name("tags").BeginArray()
	for _, tag := range n.Tags {
		w.String(tag)
	}
	w.EndArray()
	if !n.Due.IsZero() {
		w.Name("due").Text(n.Due)
	}
	w.EndObject()
}

func addNote(w *sdk.Response, r *sdk.Request) error {
	var n note
	if err := jsontext.Read(r, 64<<10, &n); err != nil {
		return err
	}
	text, err := jsontext.Marshal(&n)
	if err != nil {
		return err
	}
	if err := kv.Set("notes/"+n.Title, text); err != nil {
		return err
	}
	return jsontext.Write(w, 201, &n)
}

func Example() {
	host := sdktest.New(addNote)
	for _, body := range []string{
		`{"title":"buy milk", "tags":["shop"], "due":"2026-12-01T09:00:00Z"}`,
		`{"title":""}`,
		`{"title":"buy milk", "tags":["shop", 2]}`,
		`{"titel":"buy milk"}`,
	} {
		fmt.Print(host.Send("POST", "/notes", "application/json", body).Text())
	}
	// Output:
	// {"title":"buy milk","tags":["shop"],"due":"2026-12-01T09:00:00Z"}
	// {"title":"Bad Request","status":400,"detail":"\"title\" must not be empty"}
	// {"title":"Bad Request","status":400,"detail":"\"tags.1\" must not be a JSON number at byte 38"}
	// {"title":"Bad Request","status":400,"detail":"the body has an unknown field \"titel\" at byte 2"}
}

// A Value is for JSON of which a plugin knows only a part, such as what another
// service sends.
func ExampleValue() {
	const event = `{"action":"opened","pull_request":{"number":7,"labels":[{"name":"bug"},{"name":"urgent"}]}}`
	var v jsontext.Value
	if err := jsontext.Unmarshal(event, &v); err != nil {
		fmt.Println(err)
	}
	fmt.Println(v.Get("action"), v.Get("pull_request", "number").Int(), v.Get("no", "such").Kind() == 0)
	for _, label := range v.Get("pull_request", "labels").Array() {
		fmt.Println(label.Get("name"))
	}
	// Output:
	// opened 7 true
	// bug
	// urgent
}

// TestReadmeHasTheExample keeps what sdk/README.md prints compiled and run.
func TestReadmeHasTheExample(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(source), "\n)\n\n")
	example, _, _ = strings.Cut(example, "\nfunc addNote")
	if !strings.Contains(string(readme), "```go\n"+example+"```\n") {
		t.Errorf("sdk/README.md does not have this:\n%s", example)
	}
}
