package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ownerKey is of the object that says whose blobs a place has. No digest has it.
const ownerKey = "owner"

// Owner is whose blobs a place has.
type Owner struct {
	Folder string    `json:"folder"` // id of the data folder that has the names
	Server string    `json:"server"` // for a person
	Since  time.Time `json:"since"`
}

// Claim has the place be that of the store's folder, if it is nobody's yet; the server is
// for a person who reads whose it is. A store without a Bucket has its own folder, and
// claims nothing. Errors by fault code: Conflict (it is another's), Unavailable (the folder
// has no id), and those of bucket.Bucket.
func (s *Store) Claim(ctx context.Context, server string) error {
	if s.cfg.Bucket == nil {
		return nil
	}
	id, err := s.self()
	if err != nil {
		return err
	}
	have, err := s.owner(ctx)
	if fault.CodeOf(err) == fault.NotFound {
		own := Owner{Folder: id, Server: server, Since: time.Now().UTC()}
		data, _ := json.Marshal(own) // a struct of texts and a time
		if err = s.bucket.Put(ctx, ownerKey, bytes.NewReader(data), int64(len(data))); err == nil {
			have, err = s.owner(ctx) // another may claim it at the same time
		}
	}
	if err != nil {
		return s.count(err)
	}
	if have.Folder == id {
		return nil
	}
	return fault.New(fault.Conflict, "open blobs", fmt.Sprintf(
		"%s has the blobs of another data directory, of %s since %s, and a sweep of this server would remove them: name another place in blobs. If they are this server's from now on, and the other never serves again, delete %q there and start again",
		s, have.Server, have.Since.Format(time.RFC3339), ownerKey))
}

// self returns an id of the folder. Nothing that is backed up or shipped has it, so that
// what is made of that is another folder. A copy of all files has it, too.
func (s *Store) self() (string, error) {
	path := filepath.Join(s.cfg.Dir, ".id")
	_, err := durable.Create(path, []byte(rand.Text()))
	var id []byte
	if err == nil {
		id, err = durable.ReadRegular(path, 64)
	}
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "open blobs", "the folder has no id", err)
	}
	return string(id), nil
}

// owner returns whose the place is. One that cannot be read is a stranger's.
func (s *Store) owner(ctx context.Context) (have Owner, err error) {
	r, err := s.bucket.Get(ctx, ownerKey, 0, 4<<10)
	if err != nil {
		return have, err
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err == nil && json.Unmarshal(data, &have) != nil {
		have = Owner{Server: "somebody unknown"}
	}
	return have, err
}

// Disclaim has the place be nobody's, so that the next Claim gets it.
func (s *Store) Disclaim(ctx context.Context) error {
	if s.cfg.Bucket == nil {
		return nil
	}
	return s.bucket.Delete(ctx, ownerKey)
}
