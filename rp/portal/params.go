package portal

import (
	"fmt"
	"net/url"
)

// maxParams bounds how many names a request may have; those of the standards are
// two dozen.
const maxParams = 100

// once returns the parameter's value. An empty one is as good as absent, and one
// that stands there twice is an error: two readers would take two different ones
// (RFC 6749 §3.1).
func once(values url.Values, name string) (string, error) {
	all := values[name]
	switch len(all) {
	case 0:
		return "", nil
	case 1:
		return all[0], nil
	}
	return "", fmt.Errorf("%s: wanted it once, got it %d times", name, len(all))
}

// readOnce returns the named parameters, each once, or the error of the first
// that is not. Parameters that nobody named are ignored.
func readOnce(values url.Values, names ...string) (map[string]string, error) {
	read := make(map[string]string, len(names))
	for _, name := range names {
		v, err := once(values, name)
		if err != nil {
			return nil, err
		}
		read[name] = v
	}
	return read, nil
}

// WithQuery adds the values to an address and leaves its own query as it is written (RFC
// 6749 §3.1.2).
func WithQuery(address string, values url.Values) string {
	u, err := url.Parse(address)
	if err != nil || len(values) == 0 {
		return address
	}
	separator := "?"
	if u.RawQuery != "" || u.ForceQuery {
		separator = "&"
	}
	return address + separator + values.Encode()
}
