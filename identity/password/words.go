package password

import (
	_ "embed"
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/ccojocar/zxcvbn-go/data"
	"golang.org/x/text/unicode/norm"
)

// folded is a text without what a guesser tries both ways anyway: capitals and
// accents.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(text))
}

// disguises are signs that stand for letters. Where one stands for two, it is read
// both ways.
var disguises = map[rune]string{
	'0': "o", '1': "il", '3': "e", '4': "a", '5': "s", '6': "g", '7': "t", '8': "b", '9': "g",
	'@': "a", '$': "s", '!': "il", '|': "li", '€': "e", '£': "l", '+': "t", '(': "c",
}

// readings are what may be left of a folded text once the tricks are undone that
// everybody knows: signs for letters, signs before and after, and a word said twice. A
// sign beside a letter may be one or the other: both are read.
func readings(text string) []string {
	first := strings.IndexFunc(text, unicode.IsLetter)
	if first < 0 {
		return nil
	}
	runes := []rune(text[first:])
	before, last := []rune(text[:first]), len(runes)
	for !unicode.IsLetter(runes[last-1]) {
		last--
	}
	within, after := runes[:last], runes[last:]
	var all []string
	for i := range 1 + disguised(before, len(before)-1, -1) {
		for j := range 1 + disguised(after, 0, 1) {
			core := slices.Concat(before[len(before)-i:], within, after[:j])
			all = append(all, once(bare(core, 0)), once(bare(core, 1)), once(strings.Map(lettersOnly, string(core))))
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(r string) bool { return r == "" })
}

// disguised is how many signs from there on, in that direction, can be letters in
// disguise: two at the most.
func disguised(signs []rune, from, step int) int {
	n := 0
	for n < 2 && from >= 0 && from < len(signs) && disguises[signs[from]] != "" {
		n, from = n+1, from+step
	}
	return n
}

// bare leaves the letters, disguised ones read in the first or the last of their ways.
func bare(text []rune, way int) string {
	var b strings.Builder
	for _, r := range text {
		if plain := disguises[r]; plain != "" {
			b.WriteByte(plain[min(way, len(plain)-1)])
		} else if unicode.IsLetter(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// once returns what a text says again and again, or the text.
func once(text string) string {
	for n := 1; n <= len(text)/2; n++ {
		if len(text)%n == 0 && strings.Repeat(text[:n], len(text)/n) == text {
			return text[:n]
		}
	}
	return text
}

func backwards(text string) string {
	r := []rune(text)
	slices.Reverse(r)
	return string(r)
}

// words is a set of them.
type words map[string]bool

// Bounds of [fewest], in bytes: what is longer is a passphrase, or no word.
const (
	longestSpelt = 64
	longestWord  = 32
)

// fewest reports whether the text can be spelt with words of both kinds, and how many
// of the dear ones that takes at the least.
func fewest(text string, free, dear words) (n int, spelt bool) {
	switch {
	case free[text]:
		return 0, true
	case dear[text]:
		return 1, true
	case len(text) > longestSpelt:
		return 0, false
	}
	const never = longestSpelt + 1
	cost := make([]int, len(text)+1) // of the text up to there
	for end := 1; end <= len(text); end++ {
		cost[end] = never
		for begin := max(0, end-longestWord); begin < end; begin++ {
			switch word := text[begin:end]; {
			case free[word]:
				cost[end] = min(cost[end], cost[begin])
			case dear[word]:
				cost[end] = min(cost[end], cost[begin]+1)
			}
		}
	}
	return cost[len(text)], cost[len(text)] < never
}

//go:embed common.txt
var ownText string

// commonest are the thousand or so words that passwords are made of before any
// others: our own list, which knows Welsh, and the head of that of real passwords.
var commonest = sync.OnceValue(func() words {
	const head = 750
	all := words{}
	for line := range strings.Lines(ownText) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			maps.Copy(all, asWord(line))
		}
	}
	for _, w := range list("Passwords")[:head] {
		maps.Copy(all, asWord(w))
	}
	for w := range all {
		if len(w) < 2 {
			delete(all, w)
		}
	}
	return all
})

// asWord is a word of a list as readings would leave it, where it is one.
func asWord(w string) words {
	all := words{}
	for _, r := range readings(folded(w)) {
		all[r] = true
	}
	return all
}

// wordSet is a set of very many words, as their hashes: 8 bytes a word.
type wordSet []uint64

var wordSeed = maphash.MakeSeed()

func (s wordSet) has(word string) bool {
	_, found := slices.BinarySearch(s, maphash.String(wordSeed, word))
	return found
}

// passwords are those that real people had most often.
var passwords = sync.OnceValue(func() wordSet { return setOf("Passwords") })

// dictionary is what people take a word from: English, and the names of people.
var dictionary = sync.OnceValue(func() wordSet { return setOf("English", "FemaleNames", "MaleNames", "Surnames") })

func setOf(names ...string) wordSet {
	var set wordSet
	for _, name := range names {
		for _, w := range list(name) {
			for r := range asWord(w) {
				if len(r) >= shortestWord {
					set = append(set, maphash.String(wordSeed, r))
				}
			}
		}
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// list reads one of the frequency lists that zxcvbn comes with, commonest first. Only
// its lists are used, not its judgement: that knows neither Welsh nor a service's own
// words, and tries every reading of every sign.
func list(name string) []string {
	text, err := data.Asset("data/" + name + ".json")
	var read struct{ List []string }
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil || len(read.List) == 0 {
		panic("password: wanted the list " + name + " that is built in, got none") // of the program, not of any input
	}
	return read.List
}
