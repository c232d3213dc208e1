// The plugin queuebench sends as many messages as it is asked to, and counts those that
// it handles, each in one of 1,000 keys.
package main

import (
	"strconv"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/queue"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /send/{from}/{to}", send)
	r.HandleFunc("GET /sum", sum)
	r.HandleFunc("POST /queues/jobs", handle)
	sdk.Handle(r.Serve)
}

func main() {}

func send(_ *sdk.Response, r *sdk.Request) error {
	from, err := strconv.Atoi(r.PathValue("from"))
	if err != nil {
		return err
	}
	to, err := strconv.Atoi(r.PathValue("to"))
	if err != nil {
		return err
	}
	for ; from < to; from++ {
		if err := queue.Send("jobs", strconv.AppendInt(nil, int64(from), 10)); err != nil {
			return err
		}
	}
	return nil
}

func handle(_ *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(32)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(body))
	if err != nil {
		return err
	}
	return kv.Add("counts/"+strconv.Itoa(n%1000), 1)
}

// sum answers how often messages were handled.
func sum(w *sdk.Response, _ *sdk.Request) error {
	total := int64(0)
	for e, err := range kv.All(kv.Query{Prefix: "counts/"}) {
		if err != nil {
			return err
		}
		n, _ := kv.Counter(e.Value)
		total += n
	}
	_, err := w.Write(strconv.AppendInt(nil, total, 10))
	return err
}
