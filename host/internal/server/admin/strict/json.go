package strict

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// JSON reads numbers as JSON Schema does, for which 2.0 is an integer, and
// tells the cases of names apart, which are all in lower case. huma reads a body
// twice: to compare it with the schema, and then into its type.
var JSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		var body any
		if err := json.Unmarshal(data, &body); err != nil {
			return err
		}
		if generic, ok := v.(*any); ok {
			*generic = body
			return lowerNames(body)
		}
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}

// lowerNames refuses an object in which a name is not in lower case.
func lowerNames(body any) error {
	object, _ := body.(map[string]any)
	for name := range object {
		if name != strings.ToLower(name) {
			return fmt.Errorf("%q is no property; names are in lower case", name)
		}
	}
	return nil
}
