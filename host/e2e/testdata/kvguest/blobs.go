package main

import (
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk/blobs"
)

// blobGet answers the bytes under a name, as get does those of a key.
func blobGet(name string) string {
	data, err := blobRead(name)
	if errors.Is(err, blobs.ErrNotFound) {
		return "absent"
	}
	return orStatus(strconv.Quote(string(data)), err)
}

// blobAppend is appendTo for a list that is the bytes under a name.
func blobAppend(name, element string) string {
	before, err := blobRead(name)
	after := element
	if len(before) > 0 {
		after = string(before) + "," + element
	}
	if err == nil || errors.Is(err, blobs.ErrNotFound) {
		err = blobs.Put(name, []byte(after), blobs.Options{})
	}
	return orStatus(strconv.Quote(string(before)), err)
}

func blobRead(name string) ([]byte, error) {
	r, err := blobs.Open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// blobDelete is of a blob that need not be there.
func blobDelete(name string) error {
	if err := blobs.Delete(name); !errors.Is(err, blobs.ErrNotFound) {
		return err
	}
	return nil
}

// blobNames answers names and digests, like "a=00ff b=01ee".
func blobNames(prefix string) string {
	var all []string
	for info, err := range blobs.All(blobs.Query{Prefix: prefix}) {
		if err != nil {
			return status(err)
		}
		all = append(all, info.Name+"="+hex.EncodeToString(info.Digest[:]))
	}
	return strings.Join(all, " ")
}
