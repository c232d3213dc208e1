package project

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"unicode/utf8"

	"github.com/joho/godotenv"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// maxEnv is what an env file may have, in bytes.
const maxEnv = 1 << 20

// ReadEnv reads the variables of an env file, in the order of their names: KEY=VALUE
// lines with comments and quotes, in which $NAME stands for a variable above, except
// in single quotes. Errors: NotFound, and Invalid with the line that is wrong but
// without what is in it, which may be a secret.
func ReadEnv(ctx context.Context, file string) ([][2]string, error) {
	data, err := cli.ReadFile(ctx, file, "read the variables", maxEnv)
	if err != nil {
		return nil, err
	}
	if text := bytes.TrimSpace(data); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return nil, badEnv(file, 1, "this is JSON; write KEY=VALUE, one a line")
	}
	if !utf8.Valid(data) {
		return nil, badEnv(file, badText(data), "this is not UTF-8 text")
	}
	values, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		return nil, badEnv(file, badLine(data), "this is not KEY=VALUE; put a value with spaces or # in quotes")
	}
	pairs := make([][2]string, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if key == "" {
			return nil, badEnv(file, 0, "a line has no name before its =")
		}
		pairs = append(pairs, [2]string{key, values[key]})
	}
	return pairs, nil
}

func badEnv(file string, line int, what string) error {
	if line > 0 {
		file = fmt.Sprintf("%s:%d", file, line)
	}
	return fault.New(fault.Invalid, "", file+": "+what)
}

// badText returns the first line, from 1, that is not UTF-8.
func badText(data []byte) int {
	return 1 + slices.IndexFunc(bytes.SplitAfter(data, []byte("\n")), func(line []byte) bool { return !utf8.Valid(line) })
}

// badLine returns the line, from 1, at which a file cannot be read any further.
func badLine(data []byte) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		_, err := godotenv.UnmarshalBytes(bytes.Join(lines[:i+1], nil))
		return err != nil
	})
}
