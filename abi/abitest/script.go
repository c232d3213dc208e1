// Package abitest reads the call scripts of abi/testdata/calls: host calls in
// order, with the result that each must have and what becomes of the attempt.
// Whoever answers host calls is held to them: the host's capabilities, the fake
// host of sdktest, and both through guests in other languages. Only tests import
// it.
package abitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// Script is one file: invocations of one plugin, one after another. A later one
// shows what an earlier one has left.
type Script struct {
	Name        string `json:"-"` // of the file
	About       string
	Host        Host
	Invocations []Invocation
}

// Host describes the host that the plugin runs on.
type Host struct {
	NoKV     bool            `json:"no_kv"`
	Config   map[string]Text `json:"config"`
	Queues   []string        `json:"queues"`   // of the manifest
	SQL      []string        `json:"sql"`      // databases of the manifest, empty ones
	Sockets  []string        `json:"sockets"`  // ids of those that are open; the manifest has one if this is no null
	Blobs    *Blobs          `json:"blobs"`    // nothing = no grant for blobs
	Upstream []Upstream      `json:"upstream"` // nothing = no grant for calls to other services
}

// Blobs is the quota of blobs.
type Blobs struct{ Count, Bytes int64 }

// Origin stands in scripts for the origin of the upstream, which the runner
// chooses.
const Origin = "http://upstream"

// Upstream is an answer of the service at Origin.
type Upstream struct {
	Path    string
	Status  int
	Headers [][2]string
	Body    Text
	Breaks  bool // it ends the connection without an answer
	Hangs   bool // it never answers
}

// Invocation is one request and the calls that its handler makes.
type Invocation struct {
	About   string
	AfterMS int64 `json:"after_ms"` // what the clock moves on before it starts
	Request Request
	Calls   []Call
	// Meanwhile are the calls of another request, which commits after the first
	// attempt has made its calls and before it commits.
	Meanwhile []Call
	Fails     bool // the handler reports failure at its end
	Want      Want
}

// Request is the request to send; its zero value is POST / without a body.
type Request struct {
	Method     string
	Path       string
	Query      string
	Headers    [][2]string
	Body       string
	Trigger    string
	Attributes [][2]string
}

// Plain reports whether a guest that finds its calls in the body of the request
// can make it.
func (r Request) Plain() bool {
	return r.Path == "" && r.Query == "" && r.Headers == nil && r.Body == "" && r.Trigger == "" && r.Attributes == nil
}

// Want is the required outcome of an invocation. A member that is left out is not checked,
// but for the outcome.
type Want struct {
	Outcome  string      // "none" unless set, "committed", "aborted"
	Refused  bool        // the host answers in place of the handler
	Attempts int         // 1 unless set
	Status   int         // of the response
	Headers  [][2]string // of the response, names in lower case and sorted
	Body     *Text       // of the response
	Pattern  *Text       // what the guest's router reported
	Logs     *[]Line     // lines of the last attempt
	Lines    int         // how many Logs there are
	Sent     *[]HTTPCall // what the upstream got, over all attempts
}

// Line is a line of the plugin's log.
type Line struct {
	Level   string
	Message Text
	Attrs   [][2]string // sorted by name
}

// Text is a string that a script may write as Data.
type Text string

// Vars returns the plugin's variables.
func (h *Host) Vars() map[string]string {
	vars := make(map[string]string, len(h.Config))
	for name, value := range h.Config {
		vars[name] = string(value)
	}
	return vars
}

// UnmarshalJSON reads a text or a form of bytes.
func (t *Text) UnmarshalJSON(text []byte) error {
	var d Data
	err := json.Unmarshal(text, &d)
	*t = Text(d.bytes)
	return err
}

// HTTPCall is a request that the upstream got.
type HTTPCall struct{ Method, Path, Body string }

// Call is one host call. In JSON it is {"NAME": [ARGUMENTS], "times": N, "drain": B, "result": R, "out": O}.
type Call struct {
	Function abi.Function
	Args     []Arg
	Result   Result
	Out      *Data // what the output buffer holds

	// Drain makes the call again while it returns more than 0: Result is the last.
	Drain bool

	times int // how often it is made, one time after another
}

// Arg is one argument.
type Arg struct {
	Kind   abi.Kind
	Number int64  // of U32 and S64; the capacity of Out
	Data   Data   // of In and Text
	Handle *int   // U32: what the call of that index has given
	Range  *Range // In, Text and Out: where it lies instead
}

// Range is a range of guest memory that starts Offset bytes after its end.
type Range struct {
	Offset int64 `json:"at_end"`
	Length int64
}

// Result is the result of a call: a number, or any that is above zero.
type Result struct {
	Value int64
	Any   bool // any above zero
}

// Load returns the scripts of a folder in the order of their names.
func Load(dir string) ([]Script, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no call script", dir)
	}
	slices.Sort(files)
	scripts := make([]Script, len(files))
	for i, name := range files {
		scripts[i].Name = strings.TrimSuffix(filepath.Base(name), ".json")
		if err := load(name, &scripts[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return scripts, nil
}

func load(name string, s *Script) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(s); err != nil {
		return err
	}
	if len(s.Invocations) == 0 {
		return errors.New("it has no invocation")
	}
	for i := range s.Invocations {
		s.Invocations[i].Calls = repeated(s.Invocations[i].Calls)
	}
	return nil
}

// repeated returns the calls with those that are made several times written out.
func repeated(calls []Call) []Call {
	var list []Call
	for _, c := range calls {
		for n := range max(c.times, 1) {
			again := c
			again.Args = slices.Clone(c.Args)
			for i := range again.Args {
				again.Args[i].Data.number(n)
			}
			list = append(list, again)
		}
	}
	return list
}

// Ranges reports whether a call of the script names places in guest memory,
// which a host without one cannot make.
func (s *Script) Ranges() bool {
	for _, i := range s.Invocations {
		for _, c := range slices.Concat(i.Calls, i.Meanwhile) {
			if slices.ContainsFunc(c.Args, func(a Arg) bool { return a.Range != nil }) {
				return true
			}
		}
	}
	return false
}

// Plain reports whether all requests of the script are, and no invocation makes
// more calls than a guest has room for, or any until one is done.
func (s *Script) Plain() bool {
	const most = 200
	return !slices.ContainsFunc(s.Invocations, func(i Invocation) bool {
		return !i.Request.Plain() || len(i.Calls) > most || slices.ContainsFunc(i.Calls, func(c Call) bool { return c.Drain || c.answers() })
	})
}

// answers reports whether a call takes the place of the response's body, in which a guest
// would tell what its calls have returned.
func (c *Call) answers() bool { return c.Function.Name == abi.FnBlobAnswer && c.Result == Result{} }

// UnmarshalJSON reads a call.
func (c *Call) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	var args []json.RawMessage
	for name, value := range members {
		var err error
		switch name {
		case "result":
			err = json.Unmarshal(value, &c.Result)
		case "times":
			err = json.Unmarshal(value, &c.times)
		case "drain":
			err = json.Unmarshal(value, &c.Drain)
		case "out":
			c.Out = new(Data)
			err = json.Unmarshal(value, c.Out)
		default:
			c.Function, err = function(name)
			if err == nil {
				err = json.Unmarshal(value, &args)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(args) != len(c.Function.Params) || c.Function.Name == "" {
		return fmt.Errorf("%s: %d arguments for %q, which takes %d", text, len(args), c.Function.Name, len(c.Function.Params))
	}
	for i, p := range c.Function.Params {
		arg := Arg{Kind: p.Kind}
		if err := arg.read(args[i]); err != nil {
			return fmt.Errorf("%s: %s: %w", c.Function.Name, p.Name, err)
		}
		c.Args = append(c.Args, arg)
	}
	return nil
}

func function(name string) (abi.Function, error) {
	for _, f := range abi.Functions() {
		if f.Name == name {
			return f, nil
		}
	}
	return abi.Function{}, errors.New("no such function")
}

func (a *Arg) read(text []byte) error {
	var place struct {
		Range
		Handle *int `json:"handle"`
	}
	if strings.Contains(string(text), `"at_end"`) {
		a.Range = &place.Range
		return json.Unmarshal(text, &place)
	}
	switch a.Kind {
	case abi.In, abi.Text:
		return json.Unmarshal(text, &a.Data)
	case abi.U32:
		if json.Unmarshal(text, &place) == nil && place.Handle != nil {
			a.Handle = place.Handle
			return nil
		}
	}
	return json.Unmarshal(text, &a.Number)
}

// UnmarshalJSON reads a number, the name of a status, or "any".
func (r *Result) UnmarshalJSON(text []byte) error {
	var name string
	if json.Unmarshal(text, &name) != nil {
		return json.Unmarshal(text, &r.Value)
	}
	if r.Any = name == "any"; r.Any {
		return nil
	}
	for _, s := range abi.Statuses() {
		if s.Name == name {
			r.Value = s.Value
			return nil
		}
	}
	return fmt.Errorf("%q is no status", name)
}
