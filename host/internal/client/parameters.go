package client

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

// parameters puts the parameters of a request, a struct of package adminapi or
// nil, where its tags say: into the path, each escaped by itself so that a name
// cannot leave its place, and into the query, unless it is the default.
func parameters(path string, in any) (string, url.Values) {
	query := url.Values{}
	if in == nil {
		return path, query
	}
	v := reflect.ValueOf(in)
	for _, f := range reflect.VisibleFields(v.Type()) {
		value := v.FieldByIndex(f.Index)
		if name, ok := f.Tag.Lookup("path"); ok {
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value.String()))
		}
		if name, ok := f.Tag.Lookup("query"); ok && !isDefault(f, value) {
			name, list, _ := strings.Cut(name, ",")
			if list == "" {
				query.Set(name, fmt.Sprint(value))
				continue
			}
			for i := range value.Len() {
				query.Add(name, fmt.Sprint(value.Index(i)))
			}
		}
	}
	return path, query
}

func isDefault(f reflect.StructField, value reflect.Value) bool {
	if usual, ok := f.Tag.Lookup("default"); ok {
		return fmt.Sprint(value) == usual
	}
	return value.IsZero()
}
