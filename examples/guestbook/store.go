package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// Keys. An entry's key holds its time, so that keys in order are entries in
// order, and random digits, so that two visitors never write the same key.
const (
	entryPrefix = "entry/"
	guestPrefix = "guest/" // + address: signed a moment ago
	totalKey    = "total"  // counter of entries ever written
)

const (
	pageSize = 10
	maxKey   = 64             // of an entry
	pause    = 10 * kv.Second // between two entries of one visitor
)

// draft is what a visitor has put into the form.
type draft struct {
	name, text, keep string
	fault            string
}

const (
	maxName = 40
	maxText = 500
)

// check returns what is wrong with d, "" if nothing is.
func (d draft) check() string {
	switch {
	case strings.TrimSpace(d.name) == "" || strings.TrimSpace(d.text) == "":
		return "Please write your name and something."
	case utf8.RuneCountInString(d.name) > maxName:
		return "That name is longer than " + strconv.Itoa(maxName) + " characters."
	case utf8.RuneCountInString(d.text) > maxText:
		return "That is longer than " + strconv.Itoa(maxText) + " characters."
	case strings.ContainsFunc(d.name, unicode.IsControl) || !utf8.ValidString(d.name+d.text):
		return "That has characters a page cannot show."
	}
	return ""
}

// admit lets a visitor sign once per pause. The mark is part of the same
// transaction as the entry: of two forms sent at once, one meets a conflict,
// runs again and finds the mark of the other.
func admit(address string) (bool, error) {
	key := guestPrefix + address
	recent, err := kv.Has(key)
	if err != nil || recent {
		return false, err
	}
	return true, kv.SetTTL(key, nil, pause)
}

// store writes the entry and counts it.
func store(d draft) error {
	if err := kv.Add(totalKey, 1); err != nil {
		return err
	}
	value := []byte(d.name + "\n" + d.text)
	switch d.keep {
	case "hour":
		return kv.SetTTL(newKey(), value, kv.Hour)
	case "day":
		return kv.SetTTL(newKey(), value, kv.Day)
	}
	return kv.Set(newKey(), value)
}

func newKey() string {
	var salt [2]byte
	sdk.Random(salt[:])
	number := int64(salt[0])<<8 | int64(salt[1])
	return entryPrefix + strconv.FormatInt(sdk.Now(), 10) + "-" + strconv.FormatInt(number, 10)
}

// entry is one greeting as it is stored.
type entry struct {
	nanoseconds int64 // since 1970
	name, text  string
}

func parse(e kv.Entry) entry {
	at, _, _ := strings.Cut(strings.TrimPrefix(e.Key, entryPrefix), "-")
	n, _ := strconv.ParseInt(at, 10, 64)
	name, text, _ := strings.Cut(string(e.Value), "\n")
	return entry{nanoseconds: n, name: name, text: text}
}
