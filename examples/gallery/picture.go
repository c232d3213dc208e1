package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/blobs"
	"github.com/wasmoor/wasmoor/sdk/jsontext"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// A picture is a row and two blobs under one id. All three are of one transaction.
const (
	rows       = "picture/"
	originals  = "original/"
	thumbnails = "thumbnail/"
)

const (
	pageSize = 60
	maxTitle = 100 // bytes
)

var errNone = sdk.Error(404, "there is no such picture")

// picture is what the row has.
type picture struct {
	id, title, format string
	size              int64
	width, height     int
}

// newID returns an id that sorts by its time. Its random end keeps two of the same moment
// apart.
func newID() string {
	var id [12]byte
	binary.BigEndian.PutUint64(id[:], uint64(sdk.Now()))
	sdk.Random(id[8:])
	return hex.EncodeToString(id[:])
}

func isID(s string) bool {
	id, err := hex.DecodeString(s)
	return err == nil && len(id) == 12
}

// titleOf returns a title that may be the name of a file.
func titleOf(text string) (string, error) {
	switch text = strings.TrimSpace(text); {
	case text == "":
		return "picture", nil
	case len(text) > maxTitle:
		return "", sdk.Error(400, "the title is longer than 100 bytes")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "", sdk.Error(400, "the title has characters that no page can show")
	}
	return text, nil
}

// add makes the body of the request a picture. Whatever goes wrong on the way, nothing of
// it is kept.
func add(w *sdk.Response, r *sdk.Request, title string) error {
	p := picture{id: newID(), title: title}
	var err error
	if p.format, p.width, p.height, err = look(r.Reader()); err != nil {
		return err
	}
	if p.size, err = blobs.PutBody(originals+p.id, blobs.Options{Type: "image/" + p.format}); err != nil {
		return full(err)
	}
	b, err := blobs.Open(originals + p.id)
	if err != nil {
		return err
	}
	thumbnail, err := reduce(b)
	if err != nil {
		return err
	}
	if err := blobs.Put(thumbnails+p.id, thumbnail, blobs.Options{Type: "image/jpeg"}); err != nil {
		return full(err)
	}
	row, err := jsontext.Marshal(p)
	if err != nil {
		return err
	}
	if err := kv.Set(rows+p.id, row); err != nil {
		return err
	}
	w.SetHeader("Location", r.Mount()+"/pictures/"+p.id)
	return jsontext.Write(w, 201, p)
}

// full tells the client of a quota that is used up.
func full(err error) error {
	if errors.Is(err, blobs.ErrLimit) {
		return sdk.Error(507, "the gallery is full")
	}
	return err
}

// find returns the picture of an id.
func find(id string) (p picture, err error) {
	if !isID(id) {
		return p, errNone
	}
	row, ok, err := kv.Get(rows + id)
	if err == nil && !ok {
		err = errNone
	}
	if err != nil {
		return p, err
	}
	return p, jsontext.Unmarshal(row, &p)
}

func (p picture) delete() error {
	return errors.Join(kv.Delete(rows+p.id), blobs.Delete(originals+p.id), blobs.Delete(thumbnails+p.id))
}

// part is some pictures, the newest first.
type part struct {
	rows []kv.Entry
	more bool
}

// newest returns the pictures that came before another; "" = the newest of all.
func newest(after string) (p part, err error) {
	if after != "" {
		after = rows + after
	}
	p.rows, p.more, err = kv.List(kv.Query{Prefix: rows, After: after, Limit: pageSize, Reverse: true})
	return p, err
}

// WriteJSON writes the rows as they are stored.
func (p part) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("pictures").BeginArray()
	for _, row := range p.rows {
		w.Value(jsontext.Value(row.Value))
	}
	w.EndArray()
	w.Name("more").Bool(p.more)
	w.EndObject()
}

// WriteJSON writes a row.
func (p picture) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("id").String(p.id)
	w.Name("title").String(p.title)
	w.Name("format").String(p.format)
	w.Name("size").Int64(p.size)
	w.Name("width").Int(p.width)
	w.Name("height").Int(p.height)
	w.EndObject()
}

// ReadJSON reads a row.
func (p *picture) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "id":
			p.id = r.String()
		case "title":
			p.title = r.String()
		case "format":
			p.format = r.String()
		case "size":
			p.size = r.Int64()
		case "width":
			p.width = r.Int()
		case "height":
			p.height = r.Int()
		}
	}
}
