"""The languages that Whisper knows, by the code that its tokens have (Radford et al. 2022)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from emollama.base.errors import EmollamaError

# openai/whisper, whisper/tokenizer.py, `LANGUAGES`; Cantonese came with large-v3.
LANGUAGES = {
    "en": "English", "zh": "Chinese", "de": "German", "es": "Spanish", "ru": "Russian",
    "ko": "Korean", "fr": "French", "ja": "Japanese", "pt": "Portuguese", "tr": "Turkish",
    "pl": "Polish", "ca": "Catalan", "nl": "Dutch", "ar": "Arabic", "sv": "Swedish",
    "it": "Italian", "id": "Indonesian", "hi": "Hindi", "fi": "Finnish", "vi": "Vietnamese",
    "he": "Hebrew", "uk": "Ukrainian", "el": "Greek", "ms": "Malay", "cs": "Czech",
    "ro": "Romanian", "da": "Danish", "hu": "Hungarian", "ta": "Tamil", "no": "Norwegian",
    "th": "Thai", "ur": "Urdu", "hr": "Croatian", "bg": "Bulgarian", "lt": "Lithuanian",
    "la": "Latin", "mi": "Maori", "ml": "Malayalam", "cy": "Welsh", "sk": "Slovak",
    "te": "Telugu", "fa": "Persian", "lv": "Latvian", "bn": "Bengali", "sr": "Serbian",
    "az": "Azerbaijani", "sl": "Slovenian", "kn": "Kannada", "et": "Estonian",
    "mk": "Macedonian", "br": "Breton", "eu": "Basque", "is": "Icelandic", "hy": "Armenian",
    "ne": "Nepali", "mn": "Mongolian", "bs": "Bosnian", "kk": "Kazakh", "sq": "Albanian",
    "sw": "Swahili", "gl": "Galician", "mr": "Marathi", "pa": "Punjabi", "si": "Sinhala",
    "km": "Khmer", "sn": "Shona", "yo": "Yoruba", "so": "Somali", "af": "Afrikaans",
    "oc": "Occitan", "ka": "Georgian", "be": "Belarusian", "tg": "Tajik", "sd": "Sindhi",
    "gu": "Gujarati", "am": "Amharic", "yi": "Yiddish", "lo": "Lao", "uz": "Uzbek",
    "fo": "Faroese", "ht": "Haitian Creole", "ps": "Pashto", "tk": "Turkmen", "nn": "Nynorsk",
    "mt": "Maltese", "sa": "Sanskrit", "lb": "Luxembourgish", "my": "Myanmar", "bo": "Tibetan",
    "tl": "Tagalog", "mg": "Malagasy", "as": "Assamese", "tt": "Tatar", "haw": "Hawaiian",
    "ln": "Lingala", "ha": "Hausa", "ba": "Bashkir", "jw": "Javanese", "su": "Sundanese",
    "yue": "Cantonese",
}  # fmt: skip


@dataclass(frozen=True)
class Language:
    """The language of a transcript.

    Attributes:
        code: a key of `LANGUAGES`.
        probability: of the detected language among all; None where it was set.
    """

    code: str
    probability: float | None = None

    @property
    def name(self) -> str:
        """In English."""
        return LANGUAGES.get(self.code, self.code)

    def __str__(self) -> str:
        how = "as set" if self.probability is None else f"detected, {self.probability:.0%}"
        return f"{self.name} ({how})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        if self.probability is None:
            return {"code": self.code}
        return {"code": self.code, "probability": round(self.probability, 4)}


def need_language(code: str) -> None:
    """Raise an error unless a code is known.

    Raises:
        EmollamaError: naming the right one, where the name of a language was given.
    """
    if code in LANGUAGES:
        return
    said = code.strip().lower()
    named = {name.lower(): known for known, name in LANGUAGES.items()}
    right = named.get(said, re.split("[-_]", said)[0])
    hint = f"did you mean '{right}'?" if right in LANGUAGES else f"known: {', '.join(LANGUAGES)}"
    raise EmollamaError(f"language '{code}' is no code that Whisper knows; {hint}")
