"""Everyday words for emotions in other languages, each with its English word."""

from __future__ import annotations

_WORDS: dict[str, str] = {
    # Chinese (simplified, traditional), Japanese, Korean; German, French, Spanish, Italian,
    # Portuguese, Russian; Indonesian and Javanese.
    "neutral":
        "中性 中立 平静 无情绪 無情緒 ニュートラル 平常 중립 neutre neutro neutrale "
        "нейтральный нейтрально netral",
    "happy":
        "高兴 开心 快乐 喜悦 高興 開心 快樂 喜び 嬉しい 幸せ 기쁨 행복 glücklich fröhlich "
        "freude joie heureux content alegría feliz alegre gioia felice alegria радость "
        "счастье senang bahagia seneng",
    "sad":
        "悲伤 难过 伤心 悲傷 難過 悲しい 悲しみ 슬픔 traurig trauer trauriger triste "
        "tristesse tristeza tristezza грусть печаль sedih susah",
    "angry":
        "愤怒 生气 憤怒 生氣 怒り 분노 화남 wütend wut ärger colère fâché enfadado enojado "
        "ira rabbia arrabbiato raiva злость гнев marah nesu",
    "worried":
        "担心 担忧 忧虑 擔心 焦虑 心配 不安 걱정 besorgt sorge inquiet preocupado preoccupato "
        "тревога cemas khawatir",
    "surprise":
        "惊讶 惊奇 吃惊 驚訝 驚き 놀람 überrascht überraschung surpris sorpresa sorprendido "
        "sorpreso surpresa удивление terkejut kaget",
    "fear":
        "恐惧 害怕 恐懼 恐れ 怖い 공포 두려움 angst ängstlich furcht peur miedo paura medo "
        "страх takut wedi",
    "disgust": "厌恶 讨厌 厭惡 嫌悪 혐오 ekel dégoût asco disgusto nojo отвращение jijik",
    "calm": "冷静 落ち着き 차분 ruhig calme tranquilo calmo спокойствие tenang",
    "contempt": "轻蔑 蔑视 輕蔑 軽蔑 경멸 verachtung mépris desprecio disprezzo desprezo презрение",
    "boredom":
        "无聊 無聊 退屈 지루함 langeweile gelangweilt ennui aburrimiento noia tédio скука "
        "bosan",
    "doubt": "怀疑 懷疑 疑惑 疑い 의심 zweifel doute duda dubbio dúvida сомнение",
    "excited": "激动 兴奋 激動 興奮 흥분 aufgeregt excité emocionado eccitato",
    "frustrated": "沮丧 挫败 沮喪 frustriert frustré frustrado frustrato",
    "positive": "积极 正面 積極 positiv positif positivo",
    "negative": "消极 负面 消極 負面 negativ négatif negativo",
}  # fmt: skip

ENGLISH = {word: english for english, words in _WORDS.items() for word in words.split()}
"""Word to English word; lower case."""
