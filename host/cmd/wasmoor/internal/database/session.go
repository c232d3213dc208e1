package database

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite/statements"
)

// session runs statements one after the other.
type session struct {
	*Commands
	asked

	ctx    context.Context //nolint:containedctx // of the command
	client *client.Client

	number int      // of the statement, in standard input
	open   bool     // BEGIN was read
	held   []string // statements since then
	bytes  int      // of them
	late   bool     // foreign keys are checked at the end of a transaction
}

// command runs the statements of the command line.
func (s *session) command() error {
	list := statements.Split(s.statement)
	for _, one := range list {
		if err := s.numbered(one, len(list) > 1); err != nil {
			return err
		}
	}
	return s.ended()
}

// pieceBytes is how much of standard input is looked at at a time.
const pieceBytes = 64 << 10

// read runs the statements of a source, up to the first that fails.
func (s *session) read(from io.Reader) error {
	var split statements.Splitter
	in := bufio.NewReaderSize(from, pieceBytes)
	for {
		piece, err := in.ReadSlice('\n')
		for _, one := range split.Add(string(piece)) {
			if err := s.numbered(one, true); err != nil {
				return err
			}
		}
		if split.Size() > 2*adminapi.MaxStatement {
			return fault.New(fault.TooLarge, "", fmt.Sprintf("statement %d has no end within %d bytes; is a quote open?", s.number+1, 2*adminapi.MaxStatement))
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
			continue
		case !errors.Is(err, io.EOF):
			return cli.FileError("read standard input", err)
		}
		if rest := split.Rest(); rest != "" {
			if err := s.numbered(rest, true); err != nil {
				return err
			}
		}
		return s.ended()
	}
}

// numbered runs one statement of several, and says which one fails.
func (s *session) numbered(statement string, several bool) error {
	s.number++
	err := s.run(statement)
	if err == nil || !several {
		return err
	}
	if _, ok := errors.AsType[*fault.Error](err); !ok {
		return err
	}
	return fault.New(fault.CodeOf(err), "", fmt.Sprintf("statement %d: %s", s.number, fault.MessageOf(err)))
}

// ended is the end of what was given as a whole. If it is nothing, what should have written it
// may have failed.
func (s *session) ended() error {
	if s.number == 0 {
		return fault.New(fault.Invalid, "", "there is no statement; nothing was done")
	}
	return s.unfinished()
}

func (s *session) unfinished() error {
	if s.open {
		return fault.New(fault.Invalid, "", "the statements after BEGIN were not run: there is no COMMIT")
	}
	return nil
}

// run runs a statement, or holds it until the end of its transaction.
func (s *session) run(statement string) error {
	words := statements.Words(statement)
	switch {
	case words[0] == "PRAGMA" && words[1] == "FOREIGN_KEYS" && words[2] != "":
		// Dumps begin with it. It is of a connection, and each transaction has its own.
		s.late = slices.Contains([]string{"OFF", "0", "FALSE", "NO"}, words[2])
		return nil
	case words[0] == "BEGIN":
		if s.open {
			return fault.New(fault.Invalid, "", "BEGIN within a transaction")
		}
		s.open = true
		return nil
	case s.open && words[0] == "ROLLBACK" && words[1] != "TO" && words[2] != "TO":
		s.drop()
		return nil
	case s.open && (words[0] == "COMMIT" || words[0] == "END"):
		return s.commit()
	case !s.open:
		return s.send(nil, statement)
	}
	s.held = append(s.held, statement)
	s.bytes += len(statement)
	if len(s.held) > maxHeld || s.bytes > adminapi.MaxQueryBody/2 {
		s.drop()
		return fault.New(fault.TooLarge, "", fmt.Sprintf(
			"the transaction is over %d statements or %d bytes, and nothing of it was run; --import takes a database of any size, as a file: sqlite3 FILE < DUMP makes one", maxHeld, adminapi.MaxQueryBody/2))
	}
	return nil
}

// maxHeld is how many statements a transaction has: those that begin and end it have room.
const maxHeld = adminapi.MaxStatements - 10

// drop ends a transaction of which nothing was run.
func (s *session) drop() { s.open, s.held, s.bytes = false, nil, 0 }

// commit runs what was held, in one transaction.
func (s *session) commit() error {
	held := s.held
	s.drop()
	if len(held) == 0 {
		return nil
	}
	if s.late && s.write {
		// Foreign keys are on. A dump may fill a table before the one that it refers to is made.
		held = tablesFirst(held)
		held = slices.Concat([]string{"BEGIN", "PRAGMA defer_foreign_keys=1"}, held, []string{"COMMIT"})
	}
	last := len(held) - 1
	return s.send(held[:last], held[last])
}

// tablesFirst moves the statements that make tables before the others.
func tablesFirst(list []string) []string {
	var tables, others []string
	for _, one := range list {
		if words := statements.Words(one); words[0] == "CREATE" && words[1] == "TABLE" {
			tables = append(tables, one)
		} else {
			others = append(others, one)
		}
	}
	return append(tables, others...)
}

func (s *session) send(before []string, statement string) error {
	result, err := s.client.Query(s.ctx, s.of, adminapi.Query{Before: before, Statement: statement, Write: s.write, Limit: s.limit})
	if err != nil {
		return err
	}
	return s.show(result)
}
