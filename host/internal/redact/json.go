package redact

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// jsonWay is how a program writes strings of JSON, apart from Go.
type jsonWay struct {
	escaped string // characters that it writes as \u and digits
	slash   bool   // it writes / as \/
	ascii   bool   // it writes what is not ASCII as \u and digits
	digits  string // format of the digits
}

var jsonWays = []jsonWay{
	{ascii: true, digits: `\u%04x`},                          // Python
	{slash: true, ascii: true, digits: `\u%04x`},             // PHP
	{slash: true, digits: `\u%04x`},                          // PHP with JSON_UNESCAPED_UNICODE
	{escaped: "\"&'+<>`\x7f", ascii: true, digits: `\u%04X`}, // .NET
}

var jsonShort = strings.NewReplacer("\b", `\b`, "\t", `\t`, "\n", `\n`, "\f", `\f`, "\r", `\r`, `\`, `\\`)

// write returns what stands between the quotes.
func (w jsonWay) write(value string) string {
	var b strings.Builder
	for _, r := range value {
		switch {
		case strings.ContainsRune(w.escaped, r) || w.ascii && r >= 0x80:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, w.digits, unit)
			}
		case r == '"':
			b.WriteString(`\"`)
		case r == '/' && w.slash:
			b.WriteString(`\/`)
		case r < ' ' && jsonShort.Replace(string(r)) == string(r):
			fmt.Fprintf(&b, w.digits, r)
		default:
			b.WriteString(jsonShort.Replace(string(r)))
		}
	}
	return b.String()
}
