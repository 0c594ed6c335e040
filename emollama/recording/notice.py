"""What whoever analyses people must know; said when an analysis starts and in every report."""

NOTICE = (
    "Analyse recordings of people only with their consent. Inferring emotions of people at work or "
    "in education is prohibited in the European Union (AI Act, Article 5(1)(f)) except for medical "
    "or safety reasons. Labels are estimates, not what somebody feels."
)
