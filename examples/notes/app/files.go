package app

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
)

// maxFile leaves room for the type in a value of 1 MiB.
const maxFile = 1<<20 - 1<<10

// upload keeps the part "file" of a form with a note.
func (s *service) upload(w http.ResponseWriter, r *http.Request) error {
	n, err := s.load(r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFile+8<<10)
	file, header, err := r.FormFile("file")
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long) || err == nil && header.Size > maxFile:
		return refuse(http.StatusRequestEntityTooLarge, "a file has 1 MiB at most")
	case err != nil:
		return refuse(http.StatusBadRequest, `send a form of type multipart/form-data with a part "file"`)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	user := user(r.Context())
	if err := s.Store.Set(fileKey(user, n.ID), data, 0); err != nil {
		return err
	}
	n.File = path.Base(strings.ReplaceAll(header.Filename, `\`, "/"))
	if err := s.put(user, n); err != nil {
		return err
	}
	return write(w, http.StatusOK, n)
}

// download answers ranges and conditions as well. A file is never shown as a
// page: it may be a page of an attacker's.
func (s *service) download(w http.ResponseWriter, r *http.Request) error {
	n, err := s.load(r)
	if err != nil {
		return err
	}
	data, found, err := s.Store.Get(fileKey(user(r.Context()), n.ID))
	if err != nil {
		return err
	}
	if !found {
		return refuse(http.StatusNotFound, "the note has no file")
	}
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, n.File, n.Created, bytes.NewReader(data))
	return nil
}
