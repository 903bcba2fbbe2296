//go:build release

package page

import _ "embed"

// A release build without the real assets does not compile: embed finds no file.
//
//go:embed dist/nhsuk.css
var _ string
