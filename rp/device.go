package rp

import "strings"

// describeDevice puts a User-Agent header into a few general words, such as
// "Chrome, Android", so that a patient can recognise their own logins. It keeps
// no version: versions fingerprint and are not what people know a device by.
// Brand names need no translation; an unknown part is left out.
func describeDevice(userAgent string) string {
	const enough = 512
	if len(userAgent) > enough {
		userAgent = userAgent[:enough]
	}
	parts := make([]string, 0, 2)
	for _, table := range [][]mark{browserMarks, systemMarks} {
		for _, m := range table {
			if strings.Contains(userAgent, m.sign) {
				parts = append(parts, m.words)
				break
			}
		}
	}
	return strings.Join(parts, ", ")
}

// mark is a sign in a User-Agent and what people call what bears it. The order of
// a table matters: nearly every browser also claims to be an older one.
type mark struct{ sign, words string }

var browserMarks = []mark{
	{"nhsapp-", "NHS App"},
	{"Edg", "Edge"},
	{"OPR/", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Firefox/", "Firefox"},
	{"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
}

var systemMarks = []mark{
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Android", "Android"},
	{"CrOS", "Chromebook"},
	{"Windows", "Windows"},
	{"Macintosh", "Mac"},
	{"Linux", "Linux"},
}

// inNHSApp reports whether the page is shown in the NHS App's web view, which has
// a header of its own.
func inNHSApp(userAgent string) bool {
	return strings.Contains(userAgent, "nhsapp-android/") || strings.Contains(userAgent, "nhsapp-ios/")
}
