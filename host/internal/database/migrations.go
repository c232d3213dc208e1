package database

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/sqlite/statements"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// Migration is a numbered file of statements that a module carries.
type Migration struct {
	Number     int
	Name       string // of the file
	SQL        string
	Compatible bool // versions before it can work with the database after it
}

// digest tells whether two files are the same.
func (m Migration) digest() string {
	sum := sha256.Sum256([]byte(m.SQL))
	return hex.EncodeToString(sum[:])
}

// Bounds of the migrations of a module.
const (
	maxMigrations = 1000
	MaxMigrations = 4 << 20  // bytes of all of a database
	maxSection    = 16 << 20 // bytes of those of all databases
)

var fileForm = regexp.MustCompile(`^([0-9]{1,9})[_-][A-Za-z0-9._-]{1,100}\.sql$`)

// compatible is the first line of a file that says so.
const compatible = "-- compatible"

// Files are what a module carries of a folder of migrations, as [name, contents].
type Files = []abi.Pair

// Read returns the migrations of a module by database. Errors are Invalid faults.
func Read(module []byte) (map[string][]Migration, error) {
	data, ok, err := wasmbin.CustomSection(module, abi.MigrationsSection)
	if err != nil || !ok {
		return nil, err
	}
	if len(data) > maxSection {
		return nil, fault.New(fault.TooLarge, "migrations", fmt.Sprintf("the module's migrations have %d bytes; at most %d are allowed", len(data), maxSection))
	}
	files, ok := abi.DecodePairs(string(data), nil)
	if !ok {
		return nil, fault.New(fault.Invalid, "migrations", "the module's section of migrations is cut off; pack it again")
	}
	of := map[string]Files{}
	for _, f := range files {
		db, name := path.Split(f.Name)
		of[strings.TrimSuffix(db, "/")] = append(of[strings.TrimSuffix(db, "/")], abi.Pair{Name: name, Value: f.Value})
	}
	all := map[string][]Migration{}
	for db, files := range of {
		if all[db], err = Parse(files); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func tooMuch(bytes int) error {
	return fault.New(fault.TooLarge, "migrations", fmt.Sprintf("the migrations have %d bytes; at most %d are allowed", bytes, MaxMigrations))
}

// Parse reads the files of one database, in any order. Errors are Invalid faults, and
// TooLarge ones.
func Parse(files Files) (list []Migration, err error) {
	bytes := 0
	for _, f := range files {
		bytes += len(f.Value)
		m, err := parse(f.Name, f.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if bytes > MaxMigrations {
		return nil, tooMuch(bytes)
	}
	if len(list) > maxMigrations {
		return nil, fault.New(fault.TooLarge, "migrations", fmt.Sprintf("%d migrations are above the maximum of %d", len(list), maxMigrations))
	}
	slices.SortFunc(list, func(a, b Migration) int { return cmp.Compare(a.Number, b.Number) })
	for i := 1; i < len(list); i++ {
		if list[i].Number == list[i-1].Number {
			return nil, fault.New(fault.Invalid, "migrations", fmt.Sprintf("%s and %s have the same number", list[i-1].Name, list[i].Name))
		}
	}
	return list, nil
}

func parse(name, text string) (Migration, error) {
	form := fileForm.FindStringSubmatch(name)
	if form == nil {
		return Migration{}, fault.New(fault.Invalid, "migrations", fmt.Sprintf("%.100q is no name of a migration; write e.g. 001_users.sql", name))
	}
	number, _ := strconv.Atoi(form[1])
	switch {
	case number == 0:
		return Migration{}, fault.New(fault.Invalid, "migrations", name+": the first number is 1")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return Migration{}, fault.New(fault.Invalid, "migrations", name+": it is no text in UTF-8")
	case strings.TrimSpace(text) == "":
		return Migration{}, fault.New(fault.Invalid, "migrations", name+": it is empty")
	}
	for i, one := range statements.Split(text) {
		if word := transacts(one); word != "" {
			return Migration{}, fault.New(fault.Invalid, "migrations", fmt.Sprintf(
				"%s: statement %d is %s; the migrations of a version run all in one transaction, or none, which the host begins and ends: leave it out", name, i+1, word))
		}
	}
	first, _, _ := strings.Cut(text, "\n")
	return Migration{Number: number, Name: name, SQL: text, Compatible: strings.TrimSpace(first) == compatible}, nil
}

// transacts returns the first word of a statement that begins or ends a transaction; "" = it
// does not.
func transacts(statement string) string {
	words := statements.Words(statement)
	switch words[0] {
	case "BEGIN", "COMMIT", "END":
		return words[0]
	case "ROLLBACK":
		if words[1] != "TO" && words[2] != "TO" { // to a savepoint
			return words[0]
		}
	}
	return ""
}

// Section returns the custom section of files by database.
func Section(of map[string]Files) []byte {
	var all []abi.Pair
	for _, db := range slices.Sorted(maps.Keys(of)) {
		for _, f := range of[db] {
			all = append(all, abi.Pair{Name: db + "/" + f.Name, Value: f.Value})
		}
	}
	return abi.AppendPairs(nil, all)
}
