"""Every reader of text with a corpus so small that a test can spoil each of its files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emollama.corpora.csv_table import prepare_csv
from emollama.corpora.readers.aff_wild2 import prepare_aff_wild2
from emollama.corpora.readers.ave import prepare_ave
from emollama.corpora.readers.crema_d import prepare_crema_d
from emollama.corpora.readers.emer import prepare_emer
from emollama.corpora.readers.films.dfew import prepare_dfew
from emollama.corpora.readers.films.ferv39k import prepare_ferv39k
from emollama.corpora.readers.films.mafw import prepare_mafw
from emollama.corpora.readers.iemocap import prepare_iemocap
from emollama.corpora.readers.meld import prepare_meld
from emollama.corpora.readers.mer2023 import prepare_mer2023
from emollama.corpora.readers.mer_challenges import prepare_mer_challenge
from emollama.corpora.readers.merr import prepare_merr
from emollama.corpora.readers.mvsa import prepare_mvsa
from emollama.corpora.readers.nce_list import prepare_nce
from emollama.corpora.readers.opinions.ch_sims import prepare_ch_sims
from emollama.corpora.readers.opinions.mosei import prepare_mosei
from emollama.corpora.readers.ur_funny import prepare_ur_funny
from emollama.corpora.report import PrepareReport
from emollama.manifest.labels import get_label_set
from tests.corpora.trees import plant


@dataclass(frozen=True)
class Miniature:
    """A corpus of a few samples.

    Attributes:
        prepare: (root, out) to the report.
        texts: {path: content} of its annotations, those that a user can spoil.
        binary: {path: content} of the rest; media are a byte each.
        tables: which of `texts` are CSV files with a header.
    """

    prepare: Callable[[Path, Path], PrepareReport]
    texts: dict[str, str]
    binary: dict[str, bytes]
    tables: tuple[str, ...] = ()

    def plant(self, root: Path, **changed: str | bytes) -> Path:
        """Write it below `root`."""
        return plant(root, {**self.binary, **self.texts, **changed})


_MELD = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
    '1,"Oh, no.",Ross,sadness,negative,0,0\n2,Hi.,Ann Lee,joy,positive,0,1\n'
)
_IEMOCAP = (
    "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 3.0000, 2.0000]\n"
    "[8.5000 - 9.0000]\tSes01F_impro01_M000\tang\t[2.0000, 4.0000, 4.0000]\n"
)
_FINE = {
    name: {
        "pseu_emotion": word,
        "smp_reason_caption": "A frown.",
        "text": "No.",
        "AU_list": ["AU4"],
    }
    for name, word in (("sample_1", "sad"), ("sample_2", "doubt"))
}
_FOLDS = {
    part: {
        "id": [f"{part}$_$0"], "raw_text": ["Good."], "regression_labels": [1.0],
        "annotations": ["Positive"],
    }
    for part in ("train", "valid", "test")
}  # fmt: skip
_MOSEI_TEXTS = "Raw/Transcript/Segmented/Combined"

MINIATURES: dict[str, Miniature] = {
    "meld": Miniature(
        prepare_meld,
        {"train_sent_emo.csv": _MELD},
        {f"train_splits/dia0_utt{i}.mp4": b"x" for i in range(2)},
        ("train_sent_emo.csv",),
    ),
    "iemocap": Miniature(
        prepare_iemocap,
        {
            "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": _IEMOCAP,
            "Session1/dialog/transcriptions/Ses01F_impro01.txt": (
                "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\n"
            ),
        },
        {
            f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_{n}.wav": b"x"
            for n in ("F000", "M000")
        },
    ),
    "mer2023": Miniature(
        prepare_mer2023,
        {
            "train-label.csv": "name,discrete,valence\nsample_1,sad,-1\nsample 2,happy,3.5\n",
            "test-labels/test3-label.csv": "name,discrete\nsamplenew_1,worried\n",
        },
        {f"train/{n}.mp4": b"x" for n in ("sample_1", "sample 2")},
        ("train-label.csv", "test-labels/test3-label.csv"),
    ),
    "merr": Miniature(
        prepare_merr,
        {
            "MERR_fine_grained.json": json.dumps(_FINE, indent=1),
            "MERR_fine_grained.txt": "sample_1 20 sad -10\nsample_2 0 doubt -10\n",
            "transcription_en_all.csv": 'name,sentence\nsample_1,"Oh, no."\n',
        },
        {},
        ("transcription_en_all.csv",),
    ),
    "nce": Miniature(
        lambda root, out: prepare_nce(root / "list.txt", out, labels=get_label_set("merr")),
        {"list.txt": "sample_1 20 sad -10\nsample_2 0 doubt -10\n"},
        {},
    ),
    "crema-d": Miniature(
        prepare_crema_d,
        {"processedResults/summaryTable.csv": "FileName,MultiModalVote\n1001_IEO_NEU_XX,N\n"},
        {f"AudioWAV/{n}.wav": b"x" for n in ("1001_IEO_NEU_XX", "1091_TIE_SAD_XX")},
        ("processedResults/summaryTable.csv",),
    ),
    "dfew": Miniature(
        prepare_dfew,
        {
            "train(single-labeled)/set_1.csv": "video_name,label\n00001,1\n2,7\n",
            "test(single-labeled)/set_1.csv": "video_name,label\n00003,4\n",
        },
        {},
        ("train(single-labeled)/set_1.csv", "test(single-labeled)/set_1.csv"),
    ),
    "mafw": Miniature(
        prepare_mafw,
        {
            "Train & Test Set/single/no_caption/set_1/train.txt": "1.mp4 anger\n2.mp4 sadness\n",
            "Train & Test Set/single/no_caption/set_1/test.txt": "00003.mp4 fear\n",
        },
        {f"data/clips/0000{i}.mp4": b"x" for i in (1, 2, 3)},
    ),
    "ferv39k": Miniature(
        prepare_ferv39k,
        {
            "4_setups/All_scenes/train_All.csv": "Action/Happy/1 Happy\nWar/Sad/2 Sad\n",
            "4_setups/All_scenes/test_All.csv": "Action/Fear/3 Fear\n",
        },
        {
            f"2_ClipsforFaceCrop/{c}/1.jpg": b"x"
            for c in ("Action/Happy/0001", "War/Sad/0002", "Action/Fear/0003")
        },
    ),
    "ch-sims": Miniature(
        prepare_ch_sims,
        {
            "label.csv": "video_id,clip_id,text,label,annotation,mode\n"
            "video_1,1,a b,-0.4,Negative,train\nvideo_1,2,c,0,Neutral,valid\n"
        },
        {f"Raw/video_1/000{i}.mp4": b"x" for i in (1, 2)},
        ("label.csv",),
    ),
    "mer2026": Miniature(
        lambda root, out: prepare_mer_challenge(root, out, year=2026, table="words"),
        {
            "track2_train_human.csv": 'name,openset\na,"shocked,care"\nb,"[sad, low]"\n',
            "subtitle_chieng.csv": "name,chinese,english\na,c,Hi.\nb,d,\n",
        },
        {f"video/{n}.mp4": b"x" for n in "ab"},
        ("track2_train_human.csv", "subtitle_chieng.csv"),
    ),
    "mosei": Miniature(
        prepare_mosei,
        {
            f"{_MOSEI_TEXTS}/{p}.txt": f"{p}___0___1.5___3.0___Good.\n{p}___1___3___4___No.\n"
            for p in _FOLDS
        },
        {
            "aligned_50.pkl": pickle.dumps(_FOLDS),
            **{f"Raw/Videos/Full/Combined/{part}.mp4": b"x" for part in _FOLDS},
        },
    ),
    "emer": Miniature(
        prepare_emer,
        {"gt-eng.csv": 'names,emotions,subtitles,reasons\nsample_1,sad,No.,"He weeps, so."\n'},
        {},
        ("gt-eng.csv",),
    ),
    "aff-wild2": Miniature(
        prepare_aff_wild2,
        {"VA_Estimation_Challenge/Train_Set/1.txt": "valence,arousal\n0.5,-0.25\n-5,-5\n"},
        {"batch1/1.mp4": b"x"},
    ),
    "ave": Miniature(
        prepare_ave,
        {"trainSet.txt": "Church bell&-a_b&good&0&10\nBark&c&good&2&9\n"},
        {"AVE/-a_b.mp4": b"x", "AVE/c.mp4": b"x"},
    ),
    "mvsa": Miniature(
        prepare_mvsa,
        {"labelResultAll.txt": "ID\ttext,image\n1\tpositive,neutral\n2\tneutral,neutral\n"},
        {f"data/{i}.{s}": b"x" for i in (1, 2) for s in ("jpg", "txt")},
    ),
    "ur-funny": Miniature(
        prepare_ur_funny,
        {},
        {
            "data_folds.pkl": pickle.dumps({"train": [1], "dev": [2], "test": []}),
            "humor_label_sdk.pkl": pickle.dumps({1: 1, 2: 0}),
            "language_sdk.pkl": pickle.dumps({1: {"punchline_sentence": "Ha."}}),
        },
    ),
    "csv": Miniature(
        lambda root, out: prepare_csv(root / "clips.csv", out, labels=get_label_set("mer2023")),
        {
            "clips.csv": 'id,path,text,label,split,start,end\na b,1.mp4,"Oh, no.",sad,train,0,2\n'
            "c/d,1.mp4,Hi.,happy,train,2,3.5\n"
        },
        {"1.mp4": b"x"},
        ("clips.csv",),
    ),
}
