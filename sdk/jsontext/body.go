package jsontext

import (
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/jsonbody"
)

// These are the two of the request that is served. Made anew, each would have a
// guest write to three more pages of memory, which the host puts back.
var (
	request  Reader
	response Writer
)

// Read reads the request's body, one JSON value of at most limit bytes, into v.
// What is wrong with a body is an sdk.Error that tells the client: 415 for
// another content type, 413 for a longer body, 400 for anything that is not JSON
// of v's form.
func Read(r *sdk.Request, limit int, v Readable) error {
	body, err := jsonbody.Read(r, limit)
	if err != nil {
		return err
	}
	request = Reader{text: view(body)}
	v.ReadJSON(&request)
	if err := request.end(); err != nil {
		return sdk.Error(400, err.about("the body"))
	}
	return nil
}

// Write answers with v as JSON. A v that JSON cannot hold is an error, and the
// response is untouched.
func Write(w *sdk.Response, status int, v Writable) error {
	response = Writer{b: w.AvailableBuffer(), open: response.open[:0]}
	v.WriteJSON(&response)
	body, err := response.finish()
	if err != nil {
		return err
	}
	w.SetStatus(status)
	w.SetHeader("Content-Type", "application/json")
	_, err = w.Write(append(body, '\n'))
	return err
}
