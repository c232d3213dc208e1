package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// jsonReader reads JSON token by token, for the places of keys and to refuse a
// key that stands twice.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	lines   []int
	places  map[string]position
}

func readJSON(data []byte, file string) (*document, *problem) {
	r := &jsonReader{
		data: data, decoder: json.NewDecoder(bytes.NewReader(data)),
		lines: lineStarts(data), places: map[string]position{},
	}
	r.decoder.UseNumber()
	value, err := r.value("", 0)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, r.problem(err)
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, &problem{text: "a manifest in JSON is an object", at: position{1, 1}}
	}
	return &document{file: file, json: true, root: root, places: r.places}, nil
}

// placed is an error with its offset.
type placed struct {
	offset int64
	text   string
}

func (e *placed) Error() string { return e.text }

// problem places an error at the token it came with: the offset in a
// json.SyntaxError counts from different places in different errors.
func (r *jsonReader) problem(err error) *problem {
	offset, text := r.next(), err.Error()
	if e, ok := errors.AsType[*placed](err); ok {
		offset = e.offset
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		offset, text = int64(len(r.data)), "the JSON ends too early"
	}
	return &problem{at: place(r.lines, int(offset)), text: text}
}

func (r *jsonReader) end() error {
	start := r.next()
	if _, err := r.decoder.Token(); err == nil {
		return &placed{start, "there is more after the JSON object"}
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// next returns where the next token starts.
func (r *jsonReader) next() int64 {
	at := r.decoder.InputOffset()
	for at < int64(len(r.data)) && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[at]) >= 0 {
		at++
	}
	return at
}

func (r *jsonReader) value(path string, depth int) (any, error) {
	start := r.next()
	if depth > maxDepth {
		return nil, &placed{start, bounded("", depth)}
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return r.object(path, depth)
		}
		return r.array(path, depth)
	case json.Number:
		return number(token), nil
	}
	return token, nil
}

func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64() // out of range is infinite: no key takes a float
	return f
}

func (r *jsonReader) object(path string, depth int) (any, error) {
	values := map[string]any{}
	for r.decoder.More() {
		start := r.next()
		token, err := r.decoder.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string) // the decoder accepts nothing else here
		if rule := bounded(key, depth); rule != "" {
			return nil, &placed{start, rule}
		}
		if _, twice := values[key]; twice {
			return nil, &placed{start, join(path, key) + ": the key stands twice"}
		}
		below := join(path, key)
		r.places[below] = place(r.lines, int(start))
		if values[key], err = r.value(below, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.decoder.Token()
	return values, err
}

func (r *jsonReader) array(path string, depth int) (any, error) {
	items := []any{}
	for r.decoder.More() {
		below := element(path, len(items))
		r.places[below] = place(r.lines, int(r.next()))
		item, err := r.value(below, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := r.decoder.Token()
	return items, err
}
