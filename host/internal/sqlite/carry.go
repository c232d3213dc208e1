package sqlite

import (
	"bytes"
	"encoding/binary"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Carry takes the keys of databases elsewhere, in their order: what is not current is left,
// and a database that was held is not any more. Its zero value is ready.
type Carry struct {
	name    string
	current Entry
}

// Take returns the value that a key is to have there, and whether it goes there at all.
// Invalid: it is no key or value of a database.
func (c *Carry) Take(key, value []byte) (data []byte, goes bool, err error) {
	name, rest, ok := bytes.Cut(key, []byte{0})
	if !ok || len(name) == 0 || len(name) > MaxName {
		return nil, false, errCarry
	}
	if string(name) != c.name {
		c.name, c.current = string(name), Entry{}
	}
	switch {
	case len(rest) == 0:
		if c.current, err = decodeEntry(value); err != nil {
			return nil, false, errCarry
		}
		c.current.Held = false
		return c.current.encode(), true, nil
	case len(rest) != 8 || len(value) != PageSize:
		return nil, false, errCarry
	}
	return value, binary.BigEndian.Uint32(rest) == c.current.Generation, nil
}

var errCarry = fault.New(fault.Invalid, "sql", "the archive is damaged: it has an entry that is no page of a database")
