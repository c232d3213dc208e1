// Package statements finds the statements in a text of SQL. The command line and package
// database read files with it.
package statements

import "strings"

// Splitter finds the ends of statements in text that comes in pieces, as SQLite does: a
// semicolon that is in no quotes, no comment and no trigger. Its zero value is ready.
type Splitter struct {
	text    strings.Builder
	within  byte     // the end of a quote, '-' of a comment to the end of the line, '*' of another; 0 = none
	prev    byte     // the byte before, where the next one may depend on it
	word    []byte   // that is being read, in upper case
	words   []string // the first ones of the statement
	trigger bool
	last    string // the word or semicolon before
	ends    bool   // last is END after a semicolon
}

// firstWords is how many words tell whether a statement makes a trigger.
const firstWords = 3

// Add returns the statements that end in a piece.
func (s *Splitter) Add(piece string) (done []string) {
	for i := range len(piece) {
		b := piece[i]
		s.text.WriteByte(b)
		if s.take(b) {
			done = append(done, strings.TrimSpace(s.text.String()))
			*s = Splitter{}
		}
	}
	return done
}

// Rest returns what has no end yet, "" = nothing but blanks and comments.
func (s *Splitter) Rest() string {
	if len(s.words) == 0 && len(s.word) == 0 && s.last == "" {
		return ""
	}
	return strings.TrimSpace(s.text.String())
}

// Size returns how many bytes Rest has.
func (s *Splitter) Size() int { return s.text.Len() }

// take reads a byte, and reports whether a statement ends with it.
func (s *Splitter) take(b byte) (end bool) {
	prev := s.prev
	s.prev = b
	switch {
	case s.within == '-':
		if b == '\n' {
			s.within = 0
		}
		return false
	case s.within == '*':
		if prev == '*' && b == '/' {
			s.within, s.prev = 0, 0
		}
		return false
	case s.within != 0:
		if b == s.within {
			s.within = 0
		}
		return false
	case isWord(b):
		s.word = append(s.word, upper(b))
		return false
	}
	s.endWord()
	switch {
	case b == '-' && prev == '-':
		s.within = '-'
	case b == '*' && prev == '/':
		s.within, s.prev = '*', 0
	case b == '\'' || b == '"' || b == '`':
		s.within, s.last = b, "quote"
	case b == '[':
		s.within, s.last = ']', "quote"
	case b == ';':
		return s.semicolon()
	case b > ' ' && b != '-' && b != '/':
		s.last, s.ends = "sign", false
	}
	return false
}

func (s *Splitter) semicolon() (end bool) {
	if !s.trigger || s.ends {
		return true
	}
	s.last = ";"
	return false
}

// endWord notes a word that has ended.
func (s *Splitter) endWord() {
	if len(s.word) == 0 {
		return
	}
	word := string(s.word)
	s.word = s.word[:0]
	s.ends = word == "END" && s.last == ";"
	s.last = word
	if len(s.words) < firstWords {
		s.words = append(s.words, word)
		switch strings.Join(s.words, " ") {
		case "CREATE TRIGGER", "CREATE TEMP TRIGGER", "CREATE TEMPORARY TRIGGER":
			s.trigger = true
		}
	}
}

func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b >= 0x80
}

func upper(b byte) byte {
	if b >= 'a' && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}

// Words returns the first words of a statement, in upper case; "" = there are no more.
func Words(statement string) []string {
	var s Splitter
	s.Add(strings.TrimRight(statement, "; \t\r\n") + " ")
	return append(s.words, "", "")
}

// Split returns the statements of a text, and the last one too if it has no end.
func Split(text string) []string {
	var s Splitter
	list := s.Add(text)
	if rest := s.Rest(); rest != "" {
		list = append(list, rest)
	}
	return list
}
