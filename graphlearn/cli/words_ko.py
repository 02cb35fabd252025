"""명령줄의 한국어 문구. A particle is never attached to a filled place: a noun or a counter stands between them."""

WORDS = {
    # 공통
    "bar.step": "단계",
    "bar.epoch": "에폭",
    "bar.loss": "손실",
    "chart.log": "로그 눈금",
    "train.compiling": "컴파일하는 중 ...",
    "confusion.intro": (
        "학습에 쓰지 않은 자료에서 어느 종을 어느 종으로 보았는지 나타냅니다. 행은 정답, 열은 모델의 답입니다."
    ),
    "confusion.truth": "정답",
    # demo
    "demo.aside": "모든 단계를 눈으로 보고, 컴파일된 속도로 학습합니다",
    "demo.intro": (
        "신경망은 수식으로 이루어진 그래프입니다. 1부에서는 신경망 하나를 한 단계씩 미분하고, 그림으로 그리고, "
        "학습시킵니다. 2부와 3부에서는 실제 자료로 학습합니다. 아래의 모든 결과는 지금 이 자리에서 계산한 것입니다."
    ),
    "demo.part": "3부 중 {part}부",
    "demo.source": "자료: {source}. {licence}.",
    "demo.end": "둘러보기를 마칩니다",
    "demo.seconds": "{seconds}초",
    "demo.file.svg": "값과 기울기를 적은 계산 그래프",
    "demo.file.txt": "미분 과정",
    "demo.file.py": "컴파일된 학습 반복문의 코드",
    "demo.next": "이제 직접 만든 수식이나 표로 이어서 해 보세요.",
    # XOR
    "xor.title": "XOR: 2-3-1 신경망",
    "xor.intro": (
        "XOR는 두 입력 가운데 하나만 1일 때 1입니다. 1과 0을 나누는 직선이 없으므로 은닉층이 필요합니다. 여기서는 "
        "tanh 유닛 세 개를 거친 뒤 시그모이드 유닛 하나가 답이 1일 확률 p를 냅니다. 손실 L은 이진 교차 엔트로피의 "
        "평균입니다. 먼저, 매개변수 13개가 각각 변할 때 L은 얼마나 변할까요? 연쇄 법칙을 쓰는 모든 단계를 숫자와 "
        "함께 보입니다."
    ),
    "diagram.heading": "그림",
    "diagram.where": (
        "같은 그래프를 같은 이름과 같은 숫자로 그린 그림: {path} (브라우저로 열어 보세요). 회색 화살표는 값을 "
        "앞으로, 빨간 화살표는 기울기를 뒤로 전달합니다."
    ),
    "train.heading": "학습",
    "train.intro": (
        "학습률 {rate:g}의 경사 하강법을 {steps}단계 수행하며, 매 단계에 네 행을 모두 씁니다. 순전파, 역전파, 갱신을 "
        "반복하는 전체 과정이 float64로 컴파일된 함수 하나입니다."
    ),
    "time.who": "실행 방식",
    "time.steps": "단계 수",
    "time.each": "한 단계",
    "time.compiled": "컴파일된 반복문",
    "time.reference": "NumPy 기준 구현",
    "time.ratio": (
        "컴파일된 반복문이 {ratio}배 빠릅니다(같은 자리에서 각각 {runs}번 실행한 것 중 가장 빠른 시간. 기준 구현은 "
        "단계마다 걸리는 시간이 같아 더 적은 단계만 실행했습니다). 준비에 걸린 시간은 {compiling}초이며, 대부분 처음 "
        "한 번만 필요합니다."
    ),
    "time.agree": "처음 {steps}단계에서 두 방식의 손실 차이는 {bound} 이내입니다.",
    "curve.heading": "손실 곡선",
    "truth.heading": "진리표",
    "truth.target": "정답 t",
    "truth.before": "학습 전 p",
    "truth.after": "학습 후 p",
    "truth.answer": "답",
    # penguins
    "penguins.title": "펭귄: 선형 회귀",
    "penguins.intro": (
        "펭귄 {rows}마리의 몸무게를 세 가지 측정값({columns}, 단위 mm)으로 예측합니다. 각 측정값은 평균 0, 표준편차 "
        "1로 표준화했고, 손실은 평균 제곱 오차의 절반입니다. 선형 모델은 층이 하나인 신경망이며, 이 경우에만 최적의 "
        "가중치를 정규 방정식이라는 공식으로 구할 수 있습니다. 전체 배치 경사 하강법도 같은 곳에 도달해야 합니다."
    ),
    "penguins.quantity": "가중치",
    "penguins.descent": "경사 하강법 (g)",
    "penguins.normal": "정규 방정식 (g)",
    "penguins.bias": "편향",
    "penguins.loss": "손실 (g² 단위)",
    "penguins.apart": "두 손실의 상대 차이는 {bound} 이하입니다(목표: 1e-6). {steps}단계, 한 단계에 {time}.",
    "penguins.reading": (
        "해석: 다른 값이 같을 때 날개가 {mm} mm(표준편차 하나) 더 길면 몸무게는 {grams} g 더 나갑니다."
    ),
    "penguins.error": "전형적인 오차는 {rmse} g이며, 세 측정값이 분산의 {percent}%를 설명합니다.",
    # iris
    "iris.title": "붓꽃: 소프트맥스 신경망",
    "iris.intro": (
        "네 가지 측정값으로 붓꽃 세 종을 구별합니다. {train}행으로 학습하고 {test}행은 시험용으로 남겨 두었으며, "
        "종의 비율은 양쪽이 같습니다. tanh와 소프트맥스를 쓰는 4-{hidden}-3 신경망을 Adam으로 {epochs}에폭 동안, "
        "{batch}행씩 묶어 학습합니다."
    ),
    "iris.train": "학습",
    "iris.test": "시험",
    "iris.part": "자료",
    "iris.right": "정답 수",
    "iris.accuracy": "정확도",
    # names in the shipped data sets
    "name.flipper length (mm)": "날개 길이 (mm)",
    "name.bill length (mm)": "부리 길이 (mm)",
    "name.bill depth (mm)": "부리 깊이 (mm)",
    "name.body mass (g)": "몸무게 (g)",
    "name.setosa": "세토사",
    "name.versicolor": "버시컬러",
    "name.virginica": "버지니카",
    # 파일
    "wrote": "저장했습니다: {path}",
    # cache
    "cache.cleared": "컴파일된 코드 {count}개를 지웠습니다.",
    "cache.where": "컴파일된 코드를 두는 곳: {folder}",
    "cache.holds": "{files}개, {size} (최대 {limit})",
    "cache.unusable": "지금은 아무것도 보관하지 않습니다: {reason}.",
    # train
    "table.title": "학습 자료: {file}",
    "task.text": "목표 열 {target!r}: 서로 다른 값이 {distinct}개인 문자열입니다.",
    "task.few": "목표 열 {target!r}: 서로 다른 값이 {distinct}개이며 모두 정수입니다.",
    "task.numbers": "목표 열 {target!r}: 서로 다른 값이 {distinct}개인 수입니다.",
    "task.given": "목표 열: {target!r}.",
    "task.classification": "분류 문제로 학습합니다(회귀로 바꾸려면 --task regression).",
    "task.regression": "회귀 문제로 학습합니다(분류로 바꾸려면 --task classification).",
    "table.rows": "{rows}행으로 학습하고 {kept}행은 검증용으로 남겨 둡니다. 표준화한 입력: {columns}.",
    "table.dropped": "{all}행 가운데 빠진 값이 있는 {rows}행을 제외했습니다.",
    "table.constant": "모든 학습 행에서 값이 같아 배울 것이 없는 열: {columns}.",
    "table.network": (
        "층별 유닛 수 {sizes}, 활성화 함수 {activation}, 매개변수 {count:,}개인 신경망을 Adam으로 학습합니다. 에폭 "
        "{epochs:,}회, 학습률 {rate:g}."
    ),
    "table.linear": (
        "층별 유닛 수 {sizes}, 매개변수 {count:,}개이며 은닉층이 없는 신경망을 Adam으로 학습합니다. 에폭 {epochs:,}회, "
        "학습률 {rate:g}."
    ),
    "table.time": "{steps:,}단계, 한 단계에 {each}.",
    "table.training": "학습",
    "table.validation": "검증",
    "table.lowest": (
        "검증 손실은 {epochs}에폭 중 {epoch}에폭 뒤에 가장 낮았습니다. 그 뒤에 배운 것은 학습 행에만 도움이 됩니다. "
        "--epochs {epoch} 옵션을 써 보세요."
    ),
    "table.rose": (
        "학습 손실은 첫 에폭에 {first:.4g}, 마지막 에폭에 {last:.4g}입니다. 아무것도 모르는 채 답할 때의 손실은 "
        "{chance:.4g}입니다. 한 걸음의 크기가 너무 큽니다. --learning-rate {rate:g} 옵션을 써 보세요."
    ),
    "table.figures": "성능",
    "table.part": "자료",
    "table.next": "같은 열을 가진 새로운 행의 답을 구하려면:",
    "figure.rmse": "전형적인 오차",
    "figure.guess": "입력 없이 짐작",
    "figure.regression": (
        "전형적인 오차는 평균 제곱 오차의 제곱근이며 목표 열과 단위가 같습니다. 입력을 보지 않을 때 가장 좋은 짐작은 "
        "학습 행의 평균이고, 그 오차를 옆에 적었습니다. R²는 신경망이 설명하는 분산의 비율입니다."
    ),
    "figure.classification": (
        "입력을 보지 않을 때 가장 좋은 짐작은 학습 행에서 가장 흔한 {common!r} 클래스이며, 그 정확도를 옆에 적었습니다."
    ),
    "figure.confusion": (
        "검증 행에서 어느 클래스를 어느 클래스로 보았는지 나타냅니다. 행은 정답, 열은 모델의 답입니다."
    ),
    # predict
    "predict.right": "{rows}행 중 {right}행을 맞혔습니다({share}).",
    "predict.error": "{rows}행에서 전형적인 오차 {rmse}, R² {explained}.",
}
