// Extism-handler is a plugin of Extism that handles HTTP requests and keeps
// state: request and response are JSON, the key-value store is the platform's.
package main

import (
	"encoding/binary"
	"encoding/json"
)

func main() {}

// request is the part of a request that this plugin reads.
type request struct {
	Method string            `json:"method"`
	Params map[string]string `json:"params"`
}

// response is what the host makes the HTTP response of.
type response struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers,omitempty"`
	Body    string      `json:"body,omitempty"`
}

// counters is the part of the key-value store that this plugin uses.
type counters interface {
	// add adds to the counter at a key.
	add(key string, delta int64) error
	// get returns the value at a key, and whether there is one.
	get(key string) ([]byte, bool, error)
}

// handle counts a visit with POST, and tells how many there were.
func handle(r request, kv counters) (response, error) {
	page := r.Params["page"]
	key := "visits/" + page
	if r.Method == "POST" {
		if err := kv.add(key, 1); err != nil {
			return response{}, err
		}
	}
	value, ok, err := kv.get(key)
	if err != nil {
		return response{}, err
	}
	if !ok {
		return response{Status: 404, Body: "nobody was here\n"}, nil
	}
	body, err := json.Marshal(map[string]any{"page": page, "visits": binary.LittleEndian.Uint64(value)})
	return response{
		Status:  200,
		Headers: [][2]string{{"content-type", "application/json"}},
		Body:    string(body),
	}, err
}
