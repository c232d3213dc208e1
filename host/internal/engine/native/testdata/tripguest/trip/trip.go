// Package trip reads JSON, changes it and writes it again, as an API does with an
// order. The guest does it and, for comparison, the test itself.
package trip

import (
	"encoding/json"
	"errors"
)

// Order is 130 bytes of JSON.
const Order = `{"id":48213,"customer":"Ada Lovelace","total":129.95,"paid":false,"lines":[{"sku":"A-7","count":2},{"sku":"B-1","count":1}],"v":3}`

var errOrder = errors.New("it is no order")

// Map pays an order that is read into a map.
func Map(text []byte) ([]byte, error) {
	var order map[string]any
	if err := json.Unmarshal(text, &order); err != nil {
		return nil, err
	}
	version, ok := order["v"].(float64)
	if !ok {
		return nil, errOrder
	}
	order["paid"], order["v"] = true, version+1
	return json.Marshal(order)
}

type order struct {
	ID       int     `json:"id"`
	Customer string  `json:"customer"`
	Total    float64 `json:"total"`
	Paid     bool    `json:"paid"`
	Lines    []line  `json:"lines"`
	Version  int     `json:"v"`
}

type line struct {
	SKU   string `json:"sku"`
	Count int    `json:"count"`
}

// Struct pays an order that is read into a struct.
func Struct(text []byte) ([]byte, error) {
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	o.Paid, o.Version = true, o.Version+1
	return json.Marshal(o)
}
