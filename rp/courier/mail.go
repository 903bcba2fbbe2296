package courier

import (
	"strings"
)

// mail words one email in each of the languages, one above the other, and returns
// its subject and body. Lines end with \n.
func (c *Courier) mail(key string, langs []string, values map[string]string) (subject, body string, err error) {
	var subjects, parts []string
	for i, lang := range langs {
		lines := c.words[key][lang][1:]
		if i == 0 && len(langs) > 1 {
			lines = append(lines[:len(lines):len(lines)], c.words["mail.both"][lang][1:]...)
		}
		lines = append(lines[:len(lines):len(lines)], c.words["mail.foot"][lang][1:]...)
		values["from"] = c.organisation[lang]
		var paragraphs []string
		for _, line := range lines {
			text, err := fill(line, values)
			if err != nil {
				return "", "", err
			}
			paragraphs = append(paragraphs, text)
		}
		subjects = append(subjects, c.words[key][lang][0])
		parts = append(parts, strings.Join(paragraphs, "\n\n"))
	}
	return strings.Join(subjects, " / "), strings.Join(parts, "\n\n---\n\n") + "\n", nil
}
