// Extism-count is a plugin of Extism as it is: it speaks to Extism's kernel and
// knows nothing of the host that runs it.
package main

import (
	"errors"
	"strconv"
	"strings"
)

func main() {}

// count returns how many of vowels are in text, as JSON.
func count(text, vowels string) (string, error) {
	if text == "" {
		return "", errors.New("there is nothing to count")
	}
	n := 0
	for _, c := range text {
		if strings.ContainsRune(vowels, c) {
			n++
		}
	}
	return `{"count":` + strconv.Itoa(n) + `,"vowels":` + strconv.Quote(vowels) + `}`, nil
}
