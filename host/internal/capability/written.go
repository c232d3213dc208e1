package capability

import (
	"encoding/json"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// WriteGrant returns a grant as a part of records: an object of its members.
func WriteGrant(g plugin.Grant) json.RawMessage {
	object := []byte{'{'}
	for i, m := range g.Members() {
		if i > 0 {
			object = append(object, ',')
		}
		name, _ := json.Marshal(m.Name)
		value, _ := json.Marshal(m.Value) // a number, a string or true: it cannot fail
		object = append(append(append(object, name...), ':'), value...)
	}
	return append(object, '}')
}

// ReadGrant reads what WriteGrant wrote. Members that no capability knows grant
// nothing.
func (l List) ReadGrant(object json.RawMessage) (g plugin.Grant, err error) {
	if len(object) == 0 {
		return g, nil
	}
	var own struct {
		Stateful bool `json:"stateful"`
	}
	if err := json.Unmarshal(object, &own); err != nil {
		return g, err
	}
	g.Stateful = own.Stateful
	g.Terms, err = l.ReadTerms(object)
	return g, err
}
